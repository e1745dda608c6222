// Command config shows a service that follows its configuration, a tree of znodes.
//
// With no flags it starts three ZooKeeper servers in this process, and a writer that changes the
// configuration: it sets values, deletes one, and adds a section. The service prints each change
// that it hears of. In the middle it is cut off from its servers, and then finds out what it has
// missed. At the end it checks, by Fresh, that it holds what the writer wrote last.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "config:", err)
		os.Exit(1)
	}
}

// timeout is the session timeout asked for.
const timeout = 2 * time.Second

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("config", flag.ContinueOnError)
	connect := zookeeper.Flag(flags)
	path := flags.String("path", "/example-config", "where the configuration is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	servers, err := zookeeper.Open(*connect, timeout)
	if err != nil {
		return err
	}
	defer servers.Close()
	if err := servers.Reach(ctx); err != nil {
		return err
	}
	client, err := session.Open(servers.Connect, session.Config{Timeout: timeout})
	if err != nil {
		return err
	}
	defer client.Close()
	if *connect != "" { // somebody else writes
		err := serve(ctx, client, *path, out, func(cache.Change) bool { return true })
		if ctx.Err() != nil {
			return nil // it was told to end
		}
		return err
	}
	w, err := newWriter(ctx, servers, *path)
	if err != nil {
		return err
	}
	defer w.close()
	if err := serve(ctx, client, *path, out, w.heard); err != nil {
		return err
	}
	return w.err
}
