package main

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/internal/await"
)

// After an outage all workers get a number again, and the play does not look at that. They issue
// ids all the same, and can be stopped.
func TestAWorkerDoesNotWaitForThePlay(t *testing.T) {
	f := newFleet(&program{Program: example.New("workerid", "/workerid", 20*time.Second, 5*time.Second), size: 2})
	err := f.Run(t.Context(), func(ctx context.Context) error {
		for range cap(f.acquired) {
			f.acquired <- struct{}{}
		}
		if _, err := f.start(ctx, "w1"); err != nil {
			return err
		}
		await.Until(t, "id", func() bool { issued, _ := f.totals(); return issued > 0 })
		f.stop()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
