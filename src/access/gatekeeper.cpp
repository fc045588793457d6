#include "access/gatekeeper.hpp"
