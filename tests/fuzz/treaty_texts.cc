// Goal: whatever a child sends as a text, the master, the relay or a worker refuses it or reads
// it, and what is read, written again, says the same. Method: the input as it is, and as damage to
// sound texts.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/jail_report.h"
#include "common/treaty/addresses.h"
#include "common/treaty/held_clients.h"
#include "tests/fuzz/damage.h"
#include "worker/link/relay_words.h"

namespace {

void check(std::string_view text) {
  if (const auto report = m2::read_jail_report(text); report.ok()) {
    const auto again = m2::read_jail_report(m2::write_jail_report(report.value()));
    CHECK(again.ok() && again.value() == report.value());
    CHECK(m2::weaker_than_asked(report.value(), report.value()).empty());
  } else {
    CHECK(!report.message().empty());
  }
  if (const auto held = m2::HeldClients::parse(text)) {
    CHECK(m2::HeldClients::parse(held->line()) == held);
    (void)held->text();
  }
  const auto addresses = m2::read_addresses(text);
  CHECK(addresses.ok() || !addresses.message().empty());
  if (const auto passed = m2::read_relay_passed(text)) {
    CHECK(m2::read_relay_passed(m2::write_relay_passed(*passed)) == passed);
  }
  (void)m2::read_relay_refusal(text);
  (void)m2::read_worker_word(text);
  (void)m2::read_worker_here(text);
  (void)m2::read_worker_settled(text);
  size_t ids = 0;
  const auto count = [&ids](m2::ConnectionId id) {
    CHECK(id != 0);
    ++ids;
  };
  m2::read_worker_told(text, count);
  m2::read_worker_parted(text, count);
  m2::read_relay_gone(text, count);
  m2::read_relay_back(text, count);
  CHECK(ids <= text.size() / 2 + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check({reinterpret_cast<const char*>(data), size});
  m2::HeldClients held;
  held.add(m2::HeldAs::kWebSocket, true);
  constexpr m2::ConnectionId kIds[] = {1, 2, 3};
  for (const std::string& sound :
       {m2::write_jail_report({}), held.line(), m2::write_relay_passed(4711),
        m2::write_relay_refusal(42, "why"), m2::write_worker_word(42, 4711),
        m2::write_worker_told(kIds), m2::write_worker_parted(kIds), m2::write_worker_here(42),
        m2::write_relay_gone(kIds), m2::write_relay_back(kIds)}) {
    check(m2::damaged(sound, data, size));
  }
  return 0;
}
