#include "access/usage_book.hpp"
