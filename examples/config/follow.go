package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

// serve is the part to copy: it follows the configuration and applies each change. more reports
// whether to go on.
func serve(ctx context.Context, client *session.Client, path string, out io.Writer, more func(cache.Change) bool) error {
	c, err := cache.New(client, path, cache.Config{})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		change, err := c.Next(ctx)
		if err != nil {
			return err
		}
		apply(out, change)
		if !more(change) {
			break
		}
	}
	if err := c.Fresh(ctx); err != nil {
		return err
	}
	s, err := c.Snapshot(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d znodes, proved to be at most %v old\n", len(s.Nodes), s.Age().Round(10*time.Microsecond))
	return nil
}

// apply stands for what a service does with its configuration.
func apply(out io.Writer, change cache.Change) {
	if change.Now == nil {
		fmt.Fprintf(out, "%-9v %s\n", change.Kind, change.Path)
		return
	}
	fmt.Fprintf(out, "%-9v %s = %q\n", change.Kind, change.Path, change.Now.Data)
}
