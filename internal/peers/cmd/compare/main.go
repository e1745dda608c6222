//go:build linux

// Compare holds the same campaign with candidates of this library and of others, and prints a
// table, as Markdown, of how often and for how long two led at one time:
//
//	make compare ROUNDS=10
//
// The campaign is that of internal/campaign: root, network namespaces and real servers. All
// candidates get the same flags, T among them, and all their histories are judged by the same
// rules. A kind that this machine lacks is left out, and the output says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/peers"
)

const zkrecipe = "zkrecipe" // the kind of our own candidates

func main() {
	becomeCandidate()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// comparison is what is to be compared.
type comparison struct {
	faults, keep string
	rounds, rigs int
	dir          string // of the programs
	out          io.Writer
}

// compare does all that the arguments say, and writes the table to out; to stderr goes what the
// campaigns tell.
func compare(ctx context.Context, args []string, out io.Writer) error {
	kinds := strings.Join([]string{zkrecipe, string(peers.LeaderLatchNew), string(peers.LeaderLatch), string(peers.LeaderSelectorNew),
		string(peers.LeaderSelector), string(peers.KazooNew), string(peers.Kazoo), string(peers.ZkLock)}, ",")
	c := comparison{out: out}
	flag := flag.NewFlagSet("compare", flag.ContinueOnError)
	flag.StringVar(&c.faults, "faults", "^(1a|1b|4a) ", "those whose names match this regular `expression`")
	flag.IntVar(&c.rounds, "rounds", 10, "rounds of each fault")
	flag.IntVar(&c.rigs, "rigs", 4, "ensembles that work in parallel")
	flag.StringVar(&kinds, "kinds", kinds, "of candidates")
	flag.StringVar(&c.keep, "keep", "", "`directory` for all histories; default none")
	if err := flag.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.dir = dir
	if c.keep == "" {
		c.keep = filepath.Join(dir, "histories")
	}
	if err := c.build(ctx, "campaign", "./internal/campaign/cmd/campaign"); err != nil {
		return err
	}
	fmt.Fprint(out, head)
	for _, kind := range strings.Split(kinds, ",") {
		if err := c.campaign(ctx, kind); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// build builds a program of this library's module.
func (c *comparison) build(ctx context.Context, name, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(c.dir, name), strings.Replace(pkg, ".", "github.com/zkrecipe/zkrecipe", 1))
	cmd.Dir, cmd.Stderr = peers.Sources(), os.Stderr
	return cmd.Run()
}

// campaign holds the campaign with candidates of one kind, and prints a row for each fault.
func (c *comparison) campaign(ctx context.Context, kind string) error {
	keep := filepath.Join(c.keep, kind)
	args := []string{"-rounds", strconv.Itoa(c.rounds), "-rigs", strconv.Itoa(c.rigs), "-faults", c.faults, "-keep", keep, "-keep-all"}
	if kind == zkrecipe {
		if err := c.build(ctx, "candidate", "./examples/candidate"); err != nil {
			return err
		}
		args = append(args, "-candidate", filepath.Join(c.dir, "candidate"))
	} else {
		err := c.prepare(ctx, peers.Kind(kind))
		if errors.Is(err, peers.ErrUnavailable) {
			fmt.Fprintf(os.Stderr, "SKIP: %v\n", err)
			return nil
		}
		self, err2 := os.Executable()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		args = append(args, "-peers", "-candidate", fmt.Sprintf("%s candidate -dir %s -kind %s", self, c.dir, kind))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.dir, "campaign"), args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	var exit *exec.ExitError
	// 1 says that a promise was broken. The rows tell which.
	if err := cmd.Run(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return err
	}
	return rows(c.out, kind, keep)
}

// prepare builds the program of a kind, if this machine has what it needs.
func (c *comparison) prepare(ctx context.Context, kind peers.Kind) error {
	if err := peers.Available(ctx, kind); err != nil {
		return err
	}
	_, err := peers.HostsIn(c.dir).Command(ctx, kind, peers.Config{Connect: "-", Path: "-", ID: "-", Timeout: time.Second, Beat: time.Second})
	return err
}
