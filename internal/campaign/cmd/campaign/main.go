//go:build linux

// Campaign breaks real ensembles under real candidates and prints a table of what came of it: see
// package campaign. It exits with 1 if a promise was broken, with 2 if the campaign could not be
// held.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/zkrecipe/zkrecipe/internal/campaign"
	"github.com/zkrecipe/zkrecipe/internal/history"
)

func main() { os.Exit(Main()) }

// Main runs the program twice: outside, and by that inside a network namespace of its own.
func Main() int {
	cfg := campaign.Config{Log: os.Stderr}
	var faults string
	var judge string
	var list bool
	flag.IntVar(&cfg.Rounds, "rounds", 20, "rounds of each fault")
	flag.Float64Var(&cfg.Hours, "hours", 0, "go on for so many hours (of one rig) instead")
	flag.StringVar(&faults, "faults", "", "only those whose names match this regular `expression`; default all, with -hours \"random\"")
	flag.BoolVar(&cfg.Short, "short", false, "leave out what is slow")
	flag.Uint64Var(&cfg.Seed, "seed", 1, "of the first round of each fault")
	flag.IntVar(&cfg.Rigs, "rigs", 4, "ensembles that work in parallel")
	flag.DurationVar(&cfg.T, "timeout", 0, "the candidates' session timeout, T (default the fault's, usually 2s, or drawn)")
	flag.DurationVar(&cfg.Lease, "lease", 0, "the candidates' lease, D, where a fault asks for no other; at most half of their session timeout (default 500ms, or drawn)")
	flag.StringVar(&cfg.Candidate, "candidate", "", "`command` to use instead of building examples/candidate, whose flags it takes")
	flag.StringVar(&cfg.Contender, "contender", "", "the same for examples/contender")
	flag.BoolVar(&cfg.Peers, "peers", false, "the candidates are another library's, which tell less (see internal/peers)")
	flag.StringVar(&cfg.Keep, "keep", "campaign-failures", "`directory` for the histories of failed rounds")
	flag.BoolVar(&cfg.KeepAll, "keep-all", false, "keep the histories of all rounds")
	flag.StringVar(&judge, "judge", "", "judge a kept history again: `file`")
	flag.BoolVar(&list, "list", false, "list the faults")
	flag.Parse()
	if faults == "" && cfg.Hours > 0 {
		faults = "random"
	}
	var err error
	if cfg.Faults, err = regexp.Compile(faults); err != nil || flag.NArg() > 0 || cfg.Rigs < 1 || cfg.Rigs > campaign.MaxRigs {
		fmt.Fprintf(os.Stderr, "campaign: -faults %q, -rigs %d (1 to %d), %d unexpected arguments\n", faults, cfg.Rigs, campaign.MaxRigs, flag.NArg())
		return 2
	}
	if list {
		for _, f := range campaign.Faults {
			fmt.Printf("%-24s %s\n", f.Name, f.What)
		}
		return 0
	}
	if judge != "" {
		return again(judge)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cfg.Dir = campaign.Inside(); cfg.Dir == "" {
		return campaign.Outside(ctx, cfg)
	}
	table, err := campaign.Run(ctx, cfg)
	if table != nil {
		table.Write(os.Stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "campaign:", err)
		return 2
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "campaign: broken off")
		return 2
	case table.Violations() > 0:
		fmt.Fprintf(os.Stderr, "campaign: %d VIOLATIONS\n", table.Violations())
		return 1
	}
	return 0
}

// again judges a history that was kept.
func again(file string) int {
	lines, err := history.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		return 2
	}
	rep := history.Check(lines)
	for _, v := range rep.Violations {
		fmt.Println(v)
	}
	fmt.Printf("%d terms, %d changes, %d violations\n", len(rep.Terms), rep.Changes, len(rep.Violations))
	return min(1, len(rep.Violations))
}
