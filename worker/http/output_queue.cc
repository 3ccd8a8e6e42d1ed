#include "worker/http/output_queue.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace m2 {
namespace {

constexpr size_t kGather = 16;  // pieces of memory in one system call
// What one client gets in a turn, however fast it takes it: hundreds of large downloads still leave
// a turn of the loop within milliseconds, and fewer system calls for each would not be noticed.
constexpr uint64_t kBytesPerTurn = 256 * 1024;
constexpr size_t kKeptSegments = 8;

std::shared_ptr<const void> copy_of(std::string_view& bytes) {
  std::shared_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  bytes = {copy.get(), bytes.size()};
  return copy;
}

}  // namespace

void OutputQueue::add(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (bytes.empty()) return;
  if (owner == nullptr) owner = copy_of(bytes);
  bytes_ += bytes.size();
  segments_.push_back({bytes.data(), bytes.size(), 0, nullptr, std::move(owner)});
}

void OutputQueue::add_file(std::shared_ptr<const SentFile> file, uint64_t offset, uint64_t length) {
  if (length == 0) return;
  bytes_ += length;
  file_bytes_ += length;
  ++files_;
  const SentFile* raw = file.get();
  segments_.push_back({nullptr, length, offset, raw, std::move(file)});
}

OutputQueue::Flush OutputQueue::flush(int socket) {
  uint64_t budget = kBytesPerTurn;
  while (!empty()) {
    if (budget == 0) return Flush::kBlocked;
    const bool is_file = segments_[first_].data == nullptr;
    const Flush flush = is_file ? flush_file(socket, budget) : flush_memory(socket, budget);
    if (flush != Flush::kEmpty) return flush;
  }
  clear();
  return Flush::kEmpty;
}

OutputQueue::Flush OutputQueue::flush_memory(int socket, uint64_t& budget) {
  iovec pieces[kGather];
  size_t count = 0;
  size_t next = first_;
  for (; next < segments_.size() && count < kGather && segments_[next].data != nullptr; ++next) {
    pieces[count++] = {const_cast<char*>(segments_[next].data), segments_[next].length};
  }
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  const int more = next < segments_.size() ? MSG_MORE : 0;
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | more);
  if (sent < 0) return errno == EAGAIN || errno == EINTR ? Flush::kBlocked : Flush::kBroken;
  bytes_ -= static_cast<uint64_t>(sent);
  uint64_t left = static_cast<uint64_t>(sent);
  budget -= std::min(budget, left);
  while (left > 0) {
    Segment& segment = segments_[first_];
    const uint64_t taken = std::min(left, segment.length);
    segment.data += taken;
    segment.length -= taken;
    segment.may_drop = false;
    left -= taken;
    if (segment.length == 0) drop_first();
  }
  return first_ < next ? Flush::kBlocked : Flush::kEmpty;
}

OutputQueue::Flush OutputQueue::flush_file(int socket, uint64_t& budget) {
  Segment& segment = segments_[first_];
  // The length was promised; what stands in a file that has changed must not fill it up. While that
  // is not known the last byte is kept back: what is not complete can be given up.
  const SentFile::State state = segment.file->state();
  if (state == SentFile::State::kChanged) return Flush::kBroken;
  const uint64_t kept_back = state == SentFile::State::kDoubtful ? 1 : 0;
  while (segment.length > 0) {
    const uint64_t most = std::min(segment.length - kept_back, budget);
    if (most == 0) return Flush::kBlocked;
    off_t offset = static_cast<off_t>(segment.offset);
    const ssize_t sent = ::sendfile(socket, segment.file->fd(), &offset, static_cast<size_t>(most));
    if (sent < 0) return errno == EAGAIN || errno == EINTR ? Flush::kBlocked : Flush::kBroken;
    if (sent == 0) {  // truncated since the question
      segment.file->state();
      return Flush::kBroken;
    }
    segment.offset += static_cast<uint64_t>(sent);
    segment.length -= static_cast<uint64_t>(sent);
    bytes_ -= static_cast<uint64_t>(sent);
    file_bytes_ -= static_cast<uint64_t>(sent);
    budget -= std::min(budget, static_cast<uint64_t>(sent));
  }
  drop_first();
  return Flush::kEmpty;
}

void OutputQueue::drop_first() {
  if (segments_[first_].data == nullptr) --files_;
  segments_[first_].owner.reset();
  ++first_;
  // A long stream must not grow the list by what has left already.
  if (first_ >= 64 && first_ * 2 >= segments_.size()) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputQueue::clear() {
  segments_.clear();
  if (segments_.capacity() > kKeptSegments) segments_.shrink_to_fit();
  first_ = 0;
  bytes_ = file_bytes_ = files_ = 0;
}

void OutputQueue::let_last_drop() {
  if (!empty()) segments_.back().may_drop = true;
}

void OutputQueue::add_urgent(std::string_view bytes) {
  auto at = segments_.begin() + static_cast<ptrdiff_t>(first_);
  while (at != segments_.end() && !at->may_drop) ++at;
  bytes_ += bytes.size();
  const size_t size = bytes.size();
  auto owner = copy_of(bytes);
  segments_.insert(at, {bytes.data(), size, 0, nullptr, std::move(owner)});
}

OutputQueue::Dropped OutputQueue::drop_oldest(uint64_t memory_bytes_max) {
  Dropped dropped;
  const auto begin = segments_.begin() + static_cast<ptrdiff_t>(first_);
  const auto rest = std::remove_if(begin, segments_.end(), [&](const Segment& segment) {
    if (!segment.may_drop || memory_bytes() <= memory_bytes_max) return false;
    bytes_ -= segment.length;
    dropped.bytes += segment.length;
    ++dropped.messages;
    return true;
  });
  segments_.erase(rest, segments_.end());
  if (empty()) clear();
  return dropped;
}

}  // namespace m2
