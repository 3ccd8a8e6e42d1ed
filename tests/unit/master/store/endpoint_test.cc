// Goal: exactly the endpoints that the master can bind pass. Method: each form, and near misses.
#include "master/store/endpoint.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

TEST(Endpoint, TakesTcpAndIpc) {
  for (const char* endpoint :
       {"tcp://127.0.0.1:9999", "tcp://0.0.0.0:1", "tcp://*:65535", "tcp://[::1]:80",
        "tcp://[::]:80", "ipc://run/handler", "ipc:///tmp/x", "ipc://x"}) {
    EXPECT_TRUE(check_endpoint(endpoint).ok()) << endpoint;
  }
  EXPECT_TRUE(check_endpoint("ipc://" + std::string(99, 'x')).ok());
}

TEST(Endpoint, RefusesEverythingElse) {
  for (const char* endpoint : {"",
                               "127.0.0.1:9999",
                               "tcp://",
                               "tcp://127.0.0.1",
                               "tcp://127.0.0.1:",
                               "tcp://:9999",
                               "tcp://127.0.0.1:0",
                               "tcp://127.0.0.1:65536",
                               "tcp://127.0.0.1:09",
                               "tcp://127.0.0.1:*",
                               "tcp://127.0.0.1:99999999999",
                               "tcp://127.0.0.1:-1",
                               "tcp://127.0.0.1:80/",
                               "tcp://[]:80",
                               "tcp://[127.0.0.1]:80",
                               "tcp://localhost:80",
                               "tcp://eth0:80",
                               "tcp://127.1:80",
                               "tcp://::1:80",
                               "ipc://",
                               "ipc://*",
                               "ipc://@name",
                               "pgm://eth0;239.192.1.1:5555",
                               "epgm://x",
                               "inproc://x",
                               "udp://*:1",
                               "TCP://127.0.0.1:80",
                               "http://x"}) {
    EXPECT_FALSE(check_endpoint(endpoint).ok()) << endpoint;
  }
  EXPECT_FALSE(check_endpoint("ipc://" + std::string(100, 'x')).ok());
}

TEST(Endpoint, SaysWhatToWrite) {
  EXPECT_EQ(check_endpoint("tcp://localhost:80").message(),
            "must have a numeric address of this machine, or * for all, as in "
            "\"tcp://127.0.0.1:80\"");
  EXPECT_EQ(check_endpoint("tcp://::1:80").message(),
            "has an IPv6 address without brackets; write \"tcp://[::1]:80\"");
  const std::string instead =
      "; write tcp://ADDRESS:PORT or ipc://PATH, and have docs/examples/multicast.py pass on what "
      "comes by multicast";
  EXPECT_EQ(check_endpoint("pgm://eth0;239.192.1.1:5555").message(),
            "pgm:// needs raw network sockets (CAP_NET_RAW), which no process that meets handlers "
            "may have" +
                instead);
  EXPECT_EQ(check_endpoint("epgm://eth0;239.192.1.1:5555").message(),
            "epgm:// is refused since one bad UDP packet from anybody on the network ends the "
            "process that receives it (libzmq)" +
                instead);
  for (const EndpointUse use : {EndpointUse::kRequests, EndpointUse::kControl}) {
    EXPECT_EQ(check_endpoint("epgm://eth0;239.192.1.1:5555", use).message(),
              "cannot be multicast: 0MQ has epgm:// for PUB and SUB only; write "
              "tcp://ADDRESS:PORT or ipc://PATH");
  }
}

TEST(Endpoint, KnowsNumericAddresses) {
  EXPECT_TRUE(is_numeric_address("127.0.0.1"));
  EXPECT_TRUE(is_numeric_address("::"));
  EXPECT_FALSE(is_numeric_address("[::]"));
  EXPECT_FALSE(is_numeric_address("localhost"));
  EXPECT_FALSE(is_numeric_address("*"));
  EXPECT_FALSE(is_numeric_address(""));
}

}  // namespace
}  // namespace m2
