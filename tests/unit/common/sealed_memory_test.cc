// Goal: bytes arrive whole, and only files that nobody can change any more are accepted.
#include "common/sealed_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>

namespace m2 {
namespace {

TEST(SealedMemory, GivesBackWhatWasWritten) {
  std::string bytes(300000, 'x');
  bytes[0] = '\0';
  bytes.back() = 'e';
  Result<OwnedFd> fd = seal_bytes("test", bytes);
  ASSERT_TRUE(fd.ok()) << fd.message();
  Result<SealedView> view = SealedView::map(fd.value().get(), bytes.size());
  ASSERT_TRUE(view.ok()) << view.message();
  fd.value().reset();  // the view outlives the descriptor
  EXPECT_EQ(view.value().bytes(), bytes);
  SealedView moved = std::move(view).value();
  EXPECT_EQ(moved.bytes(), bytes);
}

TEST(SealedMemory, EmptyIsAView) {
  Result<OwnedFd> fd = seal_bytes("test", "");
  ASSERT_TRUE(fd.ok());
  Result<SealedView> view = SealedView::map(fd.value().get(), 0);
  ASSERT_TRUE(view.ok()) << view.message();
  EXPECT_TRUE(view.value().bytes().empty());
}

TEST(SealedMemory, CannotBeChangedCutOrGrown) {
  Result<OwnedFd> fd = seal_bytes("test", "0123456789");
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(::pwrite(fd.value().get(), "x", 1, 0), -1);
  EXPECT_EQ(::ftruncate(fd.value().get(), 3), -1);
  EXPECT_EQ(::ftruncate(fd.value().get(), 30), -1);
}

TEST(SealedMemory, IsCloseOnExec) {
  Result<OwnedFd> fd = seal_bytes("test", "x");
  ASSERT_TRUE(fd.ok());
  EXPECT_TRUE(::fcntl(fd.value().get(), F_GETFD) & FD_CLOEXEC);
}

TEST(SealedMemory, RefusesMoreThanAllowed) {
  Result<OwnedFd> fd = seal_bytes("test", "0123456789");
  ASSERT_TRUE(fd.ok());
  EXPECT_FALSE(SealedView::map(fd.value().get(), 9).ok());
}

TEST(SealedMemory, RefusesWhatIsNotSealed) {
  OwnedFd open_memory(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_FALSE(SealedView::map(open_memory.get(), 100).ok());
  // Every seal counts: without F_SEAL_SHRINK a reader could be killed by SIGBUS.
  ASSERT_EQ(::fcntl(open_memory.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
  EXPECT_FALSE(SealedView::map(open_memory.get(), 100).ok());
  OwnedFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(SealedView::map(file.get(), 100).ok());
  EXPECT_FALSE(SealedView::map(-1, 100).ok());
}

}  // namespace
}  // namespace m2
