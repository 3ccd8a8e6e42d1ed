// Goal: the follower knows at every byte whether a frame, or a message, of a handler has ended.
#include "proto/websocket/frame_follower.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/websocket/client_frames.h"

namespace m2 {
namespace {

std::string frame(uint8_t first, size_t size) {
  return client_frame(first, std::string(size, 'x'), false);
}

TEST(FrameFollower, EndsOfFrames) {
  for (const size_t size : {0, 1, 125, 126, 65536}) {
    FrameFollower follower;
    const std::string bytes = frame(0x82, size);
    for (size_t at = 0; at < bytes.size(); ++at) {
      EXPECT_EQ(follower.at_frame_end(), at == 0);
      follower.feed(bytes.substr(at, 1));
    }
    EXPECT_TRUE(follower.at_message_end());
    follower.feed(bytes + bytes);
    EXPECT_TRUE(follower.at_message_end());
    EXPECT_FALSE(follower.closed());
  }
}

TEST(FrameFollower, Fragments) {
  FrameFollower follower;
  follower.feed(frame(0x01, 3));
  EXPECT_TRUE(follower.at_frame_end());
  EXPECT_FALSE(follower.at_message_end());
  follower.feed(frame(0x8A, 0));
  EXPECT_FALSE(follower.at_message_end());
  follower.feed(frame(0x80, 0));
  EXPECT_TRUE(follower.at_message_end());
}

TEST(FrameFollower, CloseAndNonsense) {
  FrameFollower follower;
  follower.feed(frame(0x88, 2));
  EXPECT_TRUE(follower.closed());
  FrameFollower lost;
  lost.feed(client_frame(0x81, "a"));  // masked: no server writes that
  lost.feed(frame(0x82, 1));
  EXPECT_FALSE(lost.at_frame_end());
}

}  // namespace
}  // namespace m2
