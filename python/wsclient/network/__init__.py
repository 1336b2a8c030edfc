"""From a host name to a transport: limits, names, proxies, sockets, TLS; nothing of WebSocket."""
