package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"
)

// takeInTurn lets clients, each with a session of its own, take one Mutex of etcd's package
// concurrency in turn. The numbers are how many clients there are, for how long they take it, after
// what time that counts, and how long nobody releases it after an acquisition that counts. When all
// have a session, it prints "ready" and waits for a line on stdin. In the end it prints how often
// the lock was acquired, how many attempts failed, and the median time in ns from the call that
// releases it to the return of the next call that acquires it, as JSON.
func takeInTurn(endpoints, path string, numbers []string) error {
	var n [4]int
	for i, number := range numbers {
		var err error
		if n[i], err = strconv.Atoi(number); err != nil {
			return err
		}
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	length, warmUp, rest := ms(n[1]), ms(n[2]), ms(n[3])
	var all []*concurrency.Mutex
	for range n[0] {
		client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(endpoints, ","), DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		defer client.Close()
		session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
		if err != nil {
			return err
		}
		all = append(all, concurrency.NewMutex(session, path))
	}
	var released atomic.Int64
	// Of the one that has the lock.
	var acquired int64
	var took []int64
	var failed atomic.Int64
	var locking sync.WaitGroup
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	begun := time.Now()
	for _, m := range all {
		locking.Go(func() {
			ctx := context.Background()
			for time.Since(begun) < warmUp+length {
				if err := m.Lock(ctx); err != nil {
					failed.Add(1)
					continue
				}
				now := int64(time.Since(begun))
				if now > int64(warmUp) && now < int64(warmUp+length) {
					acquired++
					if before := released.Load(); before > int64(warmUp) {
						took = append(took, now-before)
					}
					time.Sleep(rest)
				}
				released.Store(int64(time.Since(begun)))
				if err := m.Unlock(ctx); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	locking.Wait()
	var handOver int64
	if len(took) > 0 {
		slices.Sort(took)
		handOver = took[len(took)/2]
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{
		"acquired": acquired, "failed": failed.Load(), "handover": handOver})
}
