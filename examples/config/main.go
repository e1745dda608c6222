// Command config shows a service that follows its configuration, a tree of znodes.
//
// With no flags it starts three ZooKeeper servers in this process, and a writer that changes the
// configuration: it sets values, deletes one, and adds a section. The service prints each change
// that it hears of. In the middle it is cut off from its servers, and then finds out what it has
// missed. At the end it checks, by Fresh, that it holds what the writer wrote last.
package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
)

func main() {
	p := newProgram()
	p.Demonstrate(nil, func(ctx context.Context) error { return run(ctx, p, os.Stdout) })
}

func newProgram() *example.Program { return example.New("config", "/example-config", 2*time.Second, 0) }

// run follows a configuration. On servers in this process there is a writer, too.
func run(ctx context.Context, p *example.Program, out io.Writer) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	if p.Embedded == nil { // somebody else writes
		err := serve(ctx, client, p.Path, out, func(cache.Change) bool { return true })
		if ctx.Err() != nil {
			return nil // it was told to end
		}
		return err
	}
	w, err := newWriter(ctx, p)
	if err != nil {
		return err
	}
	defer w.close()
	if err := serve(ctx, client, p.Path, out, w.heard); err != nil {
		return err
	}
	return w.err
}
