package main

import (
	"context"
	"fmt"
	"os"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// asBiller is the role of this program's children.
const asBiller = "biller"

// runBiller is the program of a child: it stands for election, and bills when elected. wrap puts
// faults between it and the database.
func runBiller(wrap func(*remote) books) {
	p, db := newProgram(), &remote{}
	p.Flags.StringVar(&db.by, "id", "", "the `name` of the biller")
	p.Flags.StringVar(&db.url, "db", "", "the `URL` of the database")
	child.Main(func(ctx context.Context) error {
		if err := p.Parse(os.Args[1:]); err != nil {
			return err
		}
		client, err := p.Client()
		if err != nil {
			return err
		}
		defer client.Close()
		el, err := election.New(client, p.Path, election.Config{ID: db.by, OnEvent: tell})
		if err != nil {
			return err
		}
		return el.Run(ctx, func(ctx context.Context, term *election.Term) error {
			return bill(ctx, term, wrap(db))
		})
	})
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
