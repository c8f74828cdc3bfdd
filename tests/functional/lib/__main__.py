"""`python3 -m lib FOLDER` (from tests/functional): writes every client of the PKI there, to look at by hand."""

import sys

from lib.pki import Pki

pki = Pki(sys.argv[1])
for method in dir(Pki):
    if method.startswith("client_"):
        print(pki.client(method.removeprefix("client_")).chain_file)
