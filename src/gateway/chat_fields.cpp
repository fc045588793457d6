#include "gateway/chat_fields.hpp"
