// Uploads: bodies above limits.content_length, which do not fit one message to a handler. An Upload
// is the request's half of such an exchange; UploadResponder, which owns it, does the answer's.
// FileUpload stores the body and tells where, StreamUpload passes it on in pieces. docs/uploads.md
// tells operators and authors of handlers what they do.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/config/model.h"
#include "common/deadlines.h"
#include "worker/disk/disk_thread.h"
#include "worker/disk/upload_file.h"
#include "worker/target/upload_limits.h"

namespace m2 {

class Exchange;
class HandlerLink;
class ToldHandler;

class UploadUser {
 public:
  // A message was passed on just now, and with it something that handlers have to answer.
  virtual void answer_is_owed() = 0;
  // It is over: the client shall be told so. The upload is destroyed in the call.
  virtual void upload_failed(int status, std::string why) = 0;

 protected:
  ~UploadUser() = default;
};

// What an upload works for; all of it outlives the upload.
struct UploadContext {
  Exchange& exchange;
  const HandlerRow& row;
  HandlerLink& link;
  UploadUser& user;
};

// Destroyed before the handlers have the whole request it ends without a trace: no file, no message
// behind the first.
class Upload {
 public:
  virtual ~Upload() = default;
  // As Responder::body().
  virtual void body(std::string_view bytes, bool last) = 0;
  // The handler takes this much more of the body (an extended message, docs/handler-protocol.md).
  virtual void add_credits(uint64_t) {}
  // The handlers have the whole request, or will have it soon.
  virtual bool passed_on() const = 0;
  // Called before what may be the end: whether they really have it.
  virtual void look_whether_taken() {}
  // They know of it, though what follows the first message may still wait here.
  virtual bool known() const { return false; }
  // They will never have it: no handler took what was passed on. Not to be called for handlers that
  // took it and are silent or gone.
  virtual void refused() {}
};

// What the uploads of a worker share.
class Uploads {
 public:
  // Both outlive it.
  Uploads(Loop& loop, Deadlines& deadlines) : thread_(loop), deadlines_(deadlines) {}

  // Before a generation with these settings is built: what an earlier worker left half-done goes.
  void prepare(const UploadLimits& limits);

  struct Begun {
    std::unique_ptr<Upload> upload;  // nullptr: refused
    int status = 0;
    std::string why;
  };
  // For an exchange whose body follows and whose head is kept. The client remembers told as soon
  // as its handlers know of it.
  Begun begin(const UploadContext& context, std::shared_ptr<ToldHandler> told);

 private:
  Begun begin_file(const UploadContext& context, std::shared_ptr<ToldHandler> told);
  struct Sweep final : DiskJob {
    void run() override;
    void done() override;
    std::string path_template;
    size_t removed = 0;
    bool under_way = false;
  };

  UploadFileCount files_;
  Sweep sweep_;
  DiskThread thread_;  // ends before the two above
  Deadlines& deadlines_;
};

}  // namespace m2
