// app is what runs in the containers of the tests: one static program, which needs nothing else in its image.
//
// It prints its arguments, one a line, on standard error, as an application logs, and waits until it is asked to end.
// `--exit=CODE` as the last argument ends it at once. As the first process of a pod's sandbox it also buries orphans.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	orphans := make(chan os.Signal, 16)
	signal.Notify(orphans, syscall.SIGCHLD)

	for _, argument := range os.Args[1:] {
		if code, found := strings.CutPrefix(argument, "--exit="); found {
			number, err := strconv.Atoi(code)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				number = 2
			}
			os.Exit(number)
		}
		fmt.Fprintln(os.Stderr, argument)
	}

	for {
		select {
		case <-ends:
			return
		case <-orphans:
			var status syscall.WaitStatus
			for {
				pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
				if err != nil || pid <= 0 {
					break
				}
			}
		}
	}
}
