//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// becomeCandidate makes this process a candidate if its arguments begin with that word.
func becomeCandidate() {
	if len(os.Args) > 1 && os.Args[1] == "candidate" {
		fmt.Fprintln(os.Stderr, candidate(os.Args[2:]))
		os.Exit(1)
	}
}

// candidate becomes a candidate of a kind: it takes the flags of examples/candidate, and execs the
// host, so that a signal to this process stops or kills the host. The host's program has been built
// by compare.
func candidate(args []string) error {
	var cfg peers.Config
	flags := flag.NewFlagSet("candidate", flag.ContinueOnError)
	kind := flags.String("kind", "", "of package peers")
	dir := flags.String("dir", "", "`directory` of the hosts' programs")
	flags.StringVar(&cfg.Connect, "zk", "", "connect string")
	flags.StringVar(&cfg.Path, "path", "", "the election's znode")
	flags.StringVar(&cfg.ID, "id", "", "the candidate's name")
	flags.DurationVar(&cfg.Timeout, "timeout", 0, "session timeout")
	flags.DurationVar(&cfg.Beat, "beat", 0, "between two beats of a leader")
	flags.Duration("lease", 0, "of no effect: theirs is the session timeout")
	flags.Bool("v", false, "of no effect")
	if err := flags.Parse(args); err != nil {
		return err
	}
	argv, err := peers.HostsIn(*dir).Command(context.Background(), peers.Kind(*kind), cfg)
	if err != nil {
		return err
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", program, syscall.Exec(program, argv, os.Environ()))
}
