// Command serve runs the servers of zktest for programs in other languages. It prints their addresses in one line, and
// then obeys its input, line by line: "kill 2", "start 2". Each is answered with "ok" or what went wrong. It ends with its
// input.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func main() {
	servers := flag.Int("servers", 3, "how many")
	tick := flag.Duration("tick", 500*time.Millisecond, "tickTime")
	// Some tests count on threads that wake up sooner than a lock is handed over.
	latency := flag.Duration("latency", 5*time.Millisecond, "what every frame and packet takes")
	flag.Parse()
	e, err := zktest.New(zktest.Config{Servers: *servers, Tick: *tick, Latency: *latency})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer e.Close()
	fmt.Println(strings.Join(e.Addrs(), " "))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(obey(e, *servers, in.Text()))
	}
}

func obey(e *zktest.Ensemble, servers int, line string) string {
	var verb string
	var id int
	if _, err := fmt.Sscan(line, &verb, &id); err != nil || id < 1 || id > servers {
		return "what is " + line + "?"
	}
	switch verb {
	case "kill":
		e.Server(id).Kill()
	case "start":
		if err := e.Server(id).Start(); err != nil {
			return err.Error()
		}
	default:
		return "what is " + line + "?"
	}
	return "ok"
}
