package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// clientGo stands with a LeaderElector of client-go. Its three times are in the proportion of
// Kubernetes' own, which are 15, 10 and 2 s.
func (h *host) clientGo() (done bool, err error) {
	klog.SetLogger(logr.Discard())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lock := &lock{host: h}
	begun := make(chan context.Context, 1)
	retry := h.timeout * 2 / 15
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, ReleaseOnCancel: true,
		LeaseDuration: h.timeout, RenewDeadline: h.timeout * 10 / 15, RetryPeriod: retry,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { begun <- ctx },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return false, err
	}
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		elector.Run(ctx)
	}()
	h.write("session")
	h.write("joined", "node", h.path)
	leading, found := context.WithCancel(context.Background())
	var term context.Context
	go func() {
		select {
		case term = <-begun:
		case <-ran:
		}
		found()
	}()
	if done = h.idle(leading); !done && term != nil {
		done = h.lead(lock.token(), term.Done(), elector.IsLeader)
	}
	cancel() // releases the lease
	<-ran
	if !done {
		// It would poll first, and take back what it has just given away. Others poll after up to
		// 2.2 times the period (leaderelection.JitterFactor).
		time.Sleep(4 * retry)
	}
	return done, nil
}

// lock is what a Lease object in an API server is to its candidates: a record that is replaced only
// if it is still the one that was read, which is a transaction in etcd there too. What is missing
// of the real thing is the API server.
type lock struct {
	*host
	revision atomic.Int64
}

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

func (l *lock) token() int64 { return l.revision.Load() }

func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	answer, err := l.client.Get(ctx, l.path)
	if err != nil {
		return nil, nil, err
	}
	if len(answer.Kvs) == 0 {
		return nil, nil, apierrors.NewNotFound(leases, l.path)
	}
	l.revision.Store(answer.Kvs[0].ModRevision)
	record := &resourcelock.LeaderElectionRecord{}
	return record, answer.Kvs[0].Value, json.Unmarshal(answer.Kvs[0].Value, record)
}

func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.put(ctx, record, clientv3.Compare(clientv3.CreateRevision(l.path), "=", 0))
}

func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.put(ctx, record, clientv3.Compare(clientv3.ModRevision(l.path), "=", l.revision.Load()))
}

func (l *lock) put(ctx context.Context, record resourcelock.LeaderElectionRecord, unchanged clientv3.Cmp) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	answer, err := l.client.Txn(ctx).If(unchanged).Then(clientv3.OpPut(l.path, string(text))).Commit()
	if err != nil {
		return err
	}
	if !answer.Succeeded {
		return apierrors.NewConflict(leases, l.path, errors.New("it was changed meanwhile"))
	}
	l.revision.Store(answer.Header.Revision)
	return nil
}

func (l *lock) RecordEvent(string) {}
func (l *lock) Identity() string   { return l.id }
func (l *lock) Describe() string   { return fmt.Sprintf("%s in etcd", l.path) }
