#include "access/key_ring.hpp"
