"""What the functional tests share: a throw-away PKI, real clients and back ends, and the program under test."""
