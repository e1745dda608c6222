// Common starts three servers, runs a command, and stops the servers. In the environment of the
// command ZKRECIPE_COMMON_SERVERS names them, for ensemble.Common. Without ZooKeeper on this
// machine, or where ZK_SERVERS names other servers, it only runs the command.
//
//	go run ./internal/ensemble/common go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

func main() {
	err := run(os.Args[1:])
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(max(1, exit.ExitCode()))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "common:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("which command?")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) // a terminal interrupts the command, too
	defer stop()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdout, os.Stderr, os.Environ()
	var e *ensemble.Ensemble
	if os.Getenv("ZK_SERVERS") == "" {
		starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		var err error
		e, err = ensemble.Start(starting, ensemble.Config{Servers: 3})
		switch {
		case err == nil:
			defer e.Close()
			cmd.Env = append(cmd.Env, ensemble.CommonServers+"="+e.ConnectString())
		case !errors.Is(err, ensemble.ErrUnavailable):
			return err
		}
	}
	err := cmd.Run()
	if err != nil && e != nil {
		for i, s := range e.Servers() {
			fmt.Fprintf(os.Stderr, "end of the log of common server %d:\n%s\n", i+1, s.LogTail(40))
		}
	}
	return err
}
