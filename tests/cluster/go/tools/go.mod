// Two small programs for the tests: what runs in the containers, and a maker of RSA keys. Nothing but the standard library.
module kubectl-wi/tests/cluster/tools

go 1.24.0
