// What the relay does for the control port: it knows the processes, and carries questions and
// orders to them.
#include <algorithm>
#include <utility>

#include "worker/relay/relay.h"

namespace m2 {

std::vector<ControlTask> Relay::tasks() const {
  std::vector<ControlTask> tasks{{"relay", "running"}};
  std::vector<WorkerName> workers = workers_;
  std::sort(workers.begin(), workers.end(),
            [](const WorkerName& a, const WorkerName& b) { return a.slot < b.slot; });
  for (const WorkerName& worker : workers) {
    tasks.push_back({"worker " + std::to_string(worker.slot), "running"});
  }
  return tasks;
}

ControlInfo Relay::info() const { return current_ ? current_->info : ControlInfo(); }

void Relay::ask_workers(const std::string& question, ConnectionId id, WorkerQueries::Done done) {
  queries_.ask(question, id == 0 ? std::nullopt : std::optional(slot_of(id)), std::move(done));
}

void Relay::signal_server(int number) {
  Message message;
  message.type = MessageType::kSignal;
  message.number = static_cast<uint64_t>(number);
  channel_.send(std::move(message));
}

}  // namespace m2
