// Goal: the set is a set, at its bound and through growth and shrinking. Method: the same random
// calls on it and on std::set.
#include "worker/link/id_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace m2 {
namespace {

TEST(IdSetTest, DoesWhatASetDoes) {
  std::mt19937_64 random(7);
  IdSet ids(1 << 20);
  std::set<ConnectionId> expected;
  // Few different ids in long runs, as workers give them out, so that places collide and holes are
  // filled.
  const ConnectionId base = first_connection_id(3, 123456789);
  for (int round = 0; round < 200'000; ++round) {
    const ConnectionId id = base + random() % 3000;
    const bool growing = (round / 20'000) % 2 == 0;
    if (random() % 10 < (growing ? 7u : 3u)) {
      EXPECT_TRUE(ids.insert(id));
      expected.insert(id);
    } else {
      ids.erase(id);
      expected.erase(id);
    }
    ASSERT_EQ(ids.size(), expected.size());
  }
  std::vector<ConnectionId> taken = ids.take();
  std::sort(taken.begin(), taken.end());
  EXPECT_TRUE(std::equal(taken.begin(), taken.end(), expected.begin(), expected.end()));
  EXPECT_EQ(ids.size(), 0u);
  EXPECT_TRUE(ids.insert(base));  // usable again
}

// Which peer knows an id stands beside it, through growth and in the widest ids.
TEST(IdSetTest, RemembersThePlaceOfAPeer) {
  IdSet ids(1000);
  const ConnectionId widest = (ConnectionId{1} << 53) - 1;
  EXPECT_TRUE(ids.insert(widest, kPeerPlacesMax));
  for (ConnectionId id = 1; id <= 300; ++id) EXPECT_TRUE(ids.insert(id, id % 3 + 1));
  EXPECT_EQ(ids.size(), 301u);
  EXPECT_EQ(ids.peer_place(widest), kPeerPlacesMax);
  EXPECT_EQ(ids.peer_place(301), kUnknownPeer);
  EXPECT_EQ(ids.known_at(2).size(), 100u);
  // Of a peer only its place is kept; a later one takes over.
  EXPECT_TRUE(ids.insert(1, (5u << kPeerPlaceBits) | 9));
  EXPECT_EQ(ids.known_at(9), std::vector<ConnectionId>{1});
  EXPECT_EQ(ids.known_at(2).size(), 99u);
  EXPECT_TRUE(ids.insert(2));
  EXPECT_TRUE(ids.contains(2));
  EXPECT_EQ(ids.peer_place(2), kUnknownPeer);
  ids.erase(widest);
  EXPECT_FALSE(ids.contains(widest));
}

TEST(IdSetTest, StopsAtItsBound) {
  IdSet ids(100);
  for (ConnectionId id = 1; id <= 100; ++id) EXPECT_TRUE(ids.insert(id));
  EXPECT_FALSE(ids.insert(101));
  EXPECT_TRUE(ids.insert(50));  // it is there already
  ids.erase(50);
  EXPECT_TRUE(ids.insert(101));
  EXPECT_EQ(ids.size(), 100u);
}

TEST(IdSetTest, ErasingWhatIsNotThereDoesNothing) {
  IdSet ids(10);
  ids.erase(1);
  EXPECT_TRUE(ids.insert(1));
  ids.erase(2);
  EXPECT_EQ(ids.take(), std::vector<ConnectionId>{1});
  EXPECT_TRUE(ids.take().empty());
}

}  // namespace
}  // namespace m2
