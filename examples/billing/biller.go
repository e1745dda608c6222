package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// asBiller is the role of this program's children.
const asBiller = "biller"

// biller is the program of a child: it stands for election, and bills when elected, until
// stdin ends. wrap puts faults between it and the database.
func biller(args []string, wrap func(*remote) books) error {
	f := flag.NewFlagSet(asBiller, flag.ContinueOnError)
	zk := f.String("zk", "", "")
	path := f.String("path", "", "")
	id := f.String("id", "", "")
	url := f.String("db", "", "")
	var times flags.Times
	times.Define(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // ends with stdin: a read of it cannot be called back
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	client, err := session.Open(*zk, session.Config{Timeout: times.Timeout, Lease: times.Lease})
	if err != nil {
		return err
	}
	defer client.Close()
	el, err := election.New(client, *path, election.Config{ID: *id, OnEvent: tell})
	if err != nil {
		return err
	}
	db := wrap(&remote{url: *url, by: *id})
	err = el.Run(ctx, func(ctx context.Context, term *election.Term) error {
		return bill(ctx, term, db)
	})
	if ctx.Err() != nil {
		return nil // told to end
	}
	return err
}

// tell writes what the parent shows.
func tell(ev election.Event) {
	switch ev.Kind {
	case election.EventElected:
		fmt.Printf("leads, with token %d\n", ev.Token)
	case election.EventDeposed:
		fmt.Println("leads no more:", ev.Reason.String())
	}
}
