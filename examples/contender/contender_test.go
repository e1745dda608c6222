package main

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

// While the lock is asked for, each command is refused. A command that comes once it is held is for
// the holder.
func TestACommandForWhatIsHeldIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{out: lines.New(io.Discard, "alice"), commands: make(chan string)}
		p.means.acquire = func(context.Context) (holding, error) { return nil, nil }
		for range 100 { // a select chooses at random
			if _, err := p.get(t.Context()); err != nil {
				t.Fatal(err)
			}
			go func() { p.commands <- "release" }()
			synctest.Wait()
			select {
			case <-p.commands:
			default:
				t.Fatal("it was refused")
			}
		}
	})
}
