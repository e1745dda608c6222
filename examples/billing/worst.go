package main

import "context"

// worst lets a pause strike at the worst moment: after the leader has looked at its term,
// before its charge has left the process. It asks the parent each time, which answers at
// once, or pauses this process and answers when that is over.
type worst struct{ *remote }

// Charge charges an item, perhaps after a pause.
func (w worst) Charge(ctx context.Context, token int64, it item) error {
	// The answer counts even if the term ends while it is waited for.
	late := context.WithoutCancel(ctx)
	var paused bool
	if err := w.ask(late, "/moment", request{By: w.by, Token: token, Item: it}, &paused); err != nil {
		return err
	}
	if paused {
		// What has passed its last check goes out, like bytes that the kernel has got already,
		// or a driver's request that takes no context.
		ctx = late
	}
	return w.remote.Charge(ctx, token, it)
}
