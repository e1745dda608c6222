//go:build !unix || aix

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintf(os.Stderr, "singleton: not on %s: there are no process groups and signals to end a job with\n", runtime.GOOS)
	os.Exit(1)
}
