# What the servers that tests play have in common: a free port of this machine, which is printed, and no words of their own.
import http.server


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *ignored):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *ignored: None  # a client that was killed
    print(server.server_address[1], flush=True)
    server.serve_forever()
