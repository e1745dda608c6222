package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// item is one thing to charge: a subscription, for a period.
type item struct{ Period, Subscription string }

func (it item) String() string { return it.Subscription + " for " + it.Period }

// attempt is a charge as somebody has asked for it.
type attempt struct {
	item
	By    string // the process
	Token int64  // its term's
	// Newest is the highest token that the database had seen, the own one included.
	Newest int64
}

// errStale refuses a request whose token is older than one seen before: somebody else
// leads, or has led, since that term began.
var errStale = errors.New("refused: a newer leader has been here")

// The buckets. Charges and refusals are written in the order in which they happened, and
// never changed: a second charge of an item does not hide the first.
var (
	fenceBucket   = []byte("fence")    // newestKey: the highest token seen
	periodBucket  = []byte("periods")  // those opened, by name
	chargeBucket  = []byte("charges")  // attempts that were carried out, by number
	refusalBucket = []byte("refusals") // attempts that were refused, by number
)

var newestKey = []byte("newest")

// ledger is the database: what was charged, by whom, and the fence. Its methods may be
// called from any goroutine; bbolt carries out one change at a time.
type ledger struct {
	db            *bbolt.DB
	subscriptions []string
	// fence says that stale tokens are refused. Without it one can see what happens.
	fence bool
}

func createLedger(path string, subscriptions []string, fence bool) (*ledger, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{fenceBucket, periodBucket, chargeBucket, refusalBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &ledger{db: db, subscriptions: subscriptions, fence: fence}, nil
}

// open begins a period: from now on every subscription is due for it.
func (l *ledger) open(period string) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(periodBucket).Put([]byte(period), []byte{1})
	})
}

// due returns what is not charged yet, for the leader with that token.
func (l *ledger) due(token int64) (due []item, err error) {
	err = l.db.Update(func(tx *bbolt.Tx) error {
		if _, stale, err := l.admit(tx, token); err != nil || stale {
			return errors.Join(err, staleness(stale))
		}
		charges, err := list(tx, chargeBucket)
		if err != nil {
			return err
		}
		charged := map[item]bool{}
		for _, c := range charges {
			charged[c.item] = true
		}
		return tx.Bucket(periodBucket).ForEach(func(period, _ []byte) error {
			for _, s := range l.subscriptions {
				if it := (item{string(period), s}); !charged[it] {
					due = append(due, it)
				}
			}
			return nil
		})
	})
	return due, err
}

// charge writes an attempt down: among the charges, or, if its token is stale, among the
// refusals. The look at the fence and the charge are one transaction, so no newer leader
// can come between them.
func (l *ledger) charge(a attempt) error {
	stale := false
	err := l.db.Update(func(tx *bbolt.Tx) (err error) {
		if a.Newest, stale, err = l.admit(tx, a.Token); err != nil {
			return err
		}
		if stale {
			return record(tx, refusalBucket, a)
		}
		return record(tx, chargeBucket, a)
	})
	return errors.Join(err, staleness(stale))
}

// admit is the fence: it compares a token with the highest one seen, which it may raise.
func (l *ledger) admit(tx *bbolt.Tx, token int64) (newest int64, stale bool, err error) {
	fence := tx.Bucket(fenceBucket)
	if seen := fence.Get(newestKey); seen != nil {
		newest = int64(binary.BigEndian.Uint64(seen))
	}
	if token < newest {
		return newest, l.fence, nil
	}
	return token, false, fence.Put(newestKey, binary.BigEndian.AppendUint64(nil, uint64(token)))
}

func staleness(stale bool) error {
	if stale {
		return errStale
	}
	return nil
}

func record(tx *bbolt.Tx, bucket []byte, a attempt) error {
	b := tx.Bucket(bucket)
	number, err := b.NextSequence()
	if err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, number), text)
}

// list returns a bucket's attempts in the order in which they were made.
func list(tx *bbolt.Tx, bucket []byte) (all []attempt, err error) {
	err = tx.Bucket(bucket).ForEach(func(number, text []byte) error {
		var a attempt
		if err := json.Unmarshal(text, &a); err != nil {
			return fmt.Errorf("%s %x: %w", bucket, number, err)
		}
		all = append(all, a)
		return nil
	})
	return all, err
}

func (l *ledger) close() error { return l.db.Close() }

// readLedger reads what a ledger's file holds, once it is closed.
func readLedger(path string) (charges, refusals []attempt, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, nil, err
	}
	err = db.View(func(tx *bbolt.Tx) (err error) {
		if charges, err = list(tx, chargeBucket); err == nil {
			refusals, err = list(tx, refusalBucket)
		}
		return err
	})
	return charges, refusals, errors.Join(err, db.Close())
}
