// What one client is still owed: memory and ranges of files, in order, with a count of bytes.
// Memory is copied only when nobody keeps it alive; sent with as few system calls as there are
// kinds in a row.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace m2 {

// A file on its way to clients.
class SentFile {
 public:
  // Whether its content still is what the answer promised. Doubtful: this will be known soon.
  enum class State : uint8_t { kSame, kDoubtful, kChanged };

  virtual int fd() const = 0;
  // Asked before each piece is sent. Says why in the log when it is kChanged.
  virtual State state() const = 0;

 protected:
  ~SentFile() = default;
};

class OutputQueue {
 public:
  enum class Flush : uint8_t { kEmpty, kBlocked, kBroken };

  bool empty() const { return first_ == segments_.size(); }
  uint64_t bytes() const { return bytes_; }

  // What waits in memory, or is kept there by others for us: all but files.
  uint64_t memory_bytes() const { return bytes_ - file_bytes_; }

  size_t files() const { return files_; }  // that wait

  // owner keeps the bytes alive; without one they are copied.
  void add(std::string_view bytes, std::shared_ptr<const void> owner);
  // What was added last is a whole message of a stream that can go on without it.
  void let_last_drop();
  // Copies a small message that must not wait for all others: it goes before the first that has not
  // begun and may be dropped, if there is one.
  void add_urgent(std::string_view bytes);
  // Drops the oldest messages that may be dropped and have not begun, until no more than this many
  // bytes are in memory or there is none left.
  struct Dropped {
    uint64_t messages = 0;
    uint64_t bytes = 0;
  };
  Dropped drop_oldest(uint64_t memory_bytes_max);
  void add_file(std::shared_ptr<const SentFile> file, uint64_t offset, uint64_t length);
  // Sends a bounded number of bytes; kBlocked: there are more. kBroken: the client is gone, or a
  // file is not what it was.
  Flush flush(int socket);
  // Gives the memory back, but for what a short queue needs again.
  void clear();

 private:
  struct Segment {
    const char* data;  // nullptr: a file
    uint64_t length;
    uint64_t offset;       // into the file
    const SentFile* file;  // kept alive by owner
    std::shared_ptr<const void> owner;
    bool may_drop = false;
  };
  // Both take what they send off the budget.
  Flush flush_memory(int socket, uint64_t& budget);
  Flush flush_file(int socket, uint64_t& budget);
  void drop_first();

  std::vector<Segment> segments_;
  size_t first_ = 0;
  uint64_t bytes_ = 0;
  uint64_t file_bytes_ = 0;
  size_t files_ = 0;
};

}  // namespace m2
