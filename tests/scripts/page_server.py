# page_server.py FOLDER: a folder's files as pages on a free port of this machine, which it prints.
import functools, http.server, sys

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
print(server.server_address[1], flush=True)
server.serve_forever()
