// Inside of net: one connection, on the thread of the worker that owns it.
#pragma once

#include <memory>
#include <string>

#include "net/transport.hpp"
#include "net/worker.hpp"

namespace liftlock::net_detail {

/// Serves the connection until it ends. Call on the worker's thread.
void start_session(Worker& worker, Stream::socket socket, std::string peer, std::shared_ptr<asio::ssl::context> tls);

}  // namespace liftlock::net_detail
