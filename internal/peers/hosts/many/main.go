// Many is one process in many elections with one session, of this library or of
// github.com/go-zookeeper/zk, whose lock's holder leads. It prints a line "elected" as
// examples/candidate does for each that it is elected in, with the path as its node, and leads
// until it is killed. Arguments: kind, connect string, path, id, session timeout in ms, how many
// elections. They are path/0, path/1 and so on.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() {
	if len(os.Args) != 7 {
		log.Fatal("want kind, connect string, path, id, timeout in ms, how many elections")
	}
	connect, path, id := os.Args[2], os.Args[3], os.Args[4]
	ms, err1 := strconv.Atoi(os.Args[5])
	n, err2 := strconv.Atoi(os.Args[6])
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	timeout := time.Duration(ms) * time.Millisecond
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the process that started us is gone
	}()
	var lead func(path, id string) error // until its leadership is lost
	var err error
	if os.Args[1] == "zk.Lock" {
		lead, err = byLock(strings.Split(connect, ","), timeout)
	} else {
		lead, err = byElection(connect, timeout)
	}
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	for i := range n {
		go func() { ended <- lead(fmt.Sprintf("%s/%d", path, i), id) }()
	}
	log.Fatal(<-ended)
}

// elected writes whole lines at once, so that those of several goroutines do not mix.
func elected(path, id string) {
	fmt.Printf("{\"t\":%d,\"id\":%q,\"event\":\"elected\",\"node\":%q}\n", history.Now(), id, path)
}

func byElection(connect string, timeout time.Duration) (func(path, id string) error, error) {
	client, err := session.Open(connect, session.Config{Timeout: timeout})
	return func(path, id string) error {
		el, err := election.New(client, path, election.Config{ID: id})
		if err != nil {
			return err
		}
		return el.Run(context.Background(), func(ctx context.Context, _ *election.Term) error {
			elected(path, id)
			<-ctx.Done()
			return nil
		})
	}, err
}

func byLock(servers []string, timeout time.Duration) (func(path, id string) error, error) {
	conn, _, err := zk.Connect(servers, timeout, zk.WithLogInfo(false))
	return func(path, id string) error {
		if err := zk.NewLock(conn, path, zk.WorldACL(zk.PermAll)).LockWithData([]byte(id)); err != nil {
			return err
		}
		elected(path, id)
		select {}
	}, err
}
