package main

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// books is what a leader needs of the database. Each request carries the term's token, and the
// database refuses (errStale) those with an older token than it has ever seen.
type books interface {
	// Due returns what has not been charged yet.
	Due(ctx context.Context, token int64) ([]item, error)
	// Charge charges one of them.
	Charge(ctx context.Context, token int64, it item) error
}

// rest is the time between two looks at what is due.
const rest = 20 * time.Millisecond

// bill charges what is due as long as the term lasts. It is the code to copy:
//
//   - Valid is asked right before each piece of work: a leader whose lease has lapsed stops of its
//     own accord, after a pause too.
//   - The token goes with every request. A pause may strike between Valid and the request, and then
//     only the database can tell that another leads.
//   - Reading shows the token, too. From then on no older leader can change what was read: without
//     that, a charge of it that is still on its way could land after Due and before our first
//     charge, and be made again.
//   - A context goes with every request. The request for what is due is cancelled when the term
//     ends. A charge in progress is finished if the program is told to stop, because nobody else
//     leads before DrainContext ends. It is cancelled shortly before the lease ends.
//   - Any error ends the term. Nobody knows then whether the charge was made, so it must not be
//     repeated: the next term, ours or another's, reads again what is due, with a token that locks
//     out whatever of this one is still on its way.
func bill(ctx context.Context, term *election.Term, db books) error {
	for {
		due, err := db.Due(ctx, term.Token())
		if err != nil {
			return err
		}
		for _, it := range due {
			if !term.Valid() {
				return context.Cause(ctx)
			}
			if err := db.Charge(term.DrainContext(), term.Token(), it); err != nil {
				return err
			}
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
