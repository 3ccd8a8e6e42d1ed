// What nearly every unit test includes, compiled once for all of them.
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "common/precompiled.h"
