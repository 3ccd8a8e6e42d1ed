// Counts of a process's descriptors by kind. The master compares what it gave to a child with what
// the child says it has (common/jail_report.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/status.h"

namespace m2 {

enum class DescriptorKind : uint8_t { kDevice, kFile, kFolder, kPipe, kSocket, kOther };
inline constexpr size_t kDescriptorKinds = 6;
// In the words of people, in the order of the kinds.
inline constexpr const char* kDescriptorKindNames[kDescriptorKinds] = {"device", "file",   "folder",
                                                                       "pipe",   "socket", "other"};

// How many of each kind.
using DescriptorCounts = std::array<uint64_t, kDescriptorKinds>;

// Of these; negative numbers are none.
Result<DescriptorCounts> count_descriptors(std::span<const int> numbers);
// Of all that this process has open, by asking for each number: a chroot has no /proc. Numbers from
// the limit on open files on, or from 65,536 on, are not asked for: nothing of the master is there.
Result<DescriptorCounts> count_own_descriptors();

}  // namespace m2
