# page_server.py FOLDER: a folder's files as pages on a free port of this machine, which it prints.
import functools, http.server, sys

import stand_in

stand_in.serve(functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
