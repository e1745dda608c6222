package child

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Main is for a child: it calls f with a context that ends when the parent stops the child, or is
// gone. If f returns an error before that, the child exits with 1.
func Main(f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	go func() { // not waited for: a read of stdin cannot be cancelled
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := f(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Tell is for a child: it writes a line for the parent, the JSON of a value.
func Tell(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic("bug: " + err.Error()) // the parent reads other types
	}
	fmt.Println(string(text)) // without a reader the process ends by SIGPIPE
}
