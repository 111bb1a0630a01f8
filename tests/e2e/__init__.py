"""The real command in a home of its own, against real servers, over real sockets."""
