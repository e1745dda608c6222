package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// One session has finished with a place, and gives notice in the transaction that deletes it.
// Another session that waits for the place gets an event, and need not read anything.
func ExampleWatch_AwaitNotice() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, close := member(ctx, e, e.Host("first"))
	defer close()
	second, close := member(ctx, e, e.Host("second"))
	defer close()
	if err := first.EnsurePath(ctx, "/jobs", nil); err != nil {
		log.Fatal(err)
	}
	place, err := first.CreatePlace(ctx, "/jobs", "job-", nil, nil)
	if err != nil {
		log.Fatal(err)
	}

	wake := make(chan struct{}, 1)
	if err := second.Sync(ctx, place); err != nil {
		log.Fatal(err)
	}
	w := second.Watch(place, wake)
	defer w.Stop()
	answered := w.AwaitNotice()
	if _, _, err := w.Get(ctx); err != nil {
		log.Fatal(err)
	}
	<-answered

	ops := append(first.Notice(place), &zk.DeleteRequest{Path: place, Version: -1})
	results, err := first.Multi(ctx, ops...)
	if ops, refused := first.WithoutNotice(ops, results); refused { // it must not give notice
		_, err = first.Multi(ctx, ops...)
	}
	if err != nil {
		log.Fatal(err)
	}
	for !w.Deleted() {
		<-wake
	}
	fmt.Println("finished:", w.Noticed())
	// Output: finished: true
}
