package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// errStale refuses a look or a write whose token is older than one seen before: somebody else has
// the lock, or has had it since.
var errStale = errors.New("refused: a newer holder of the lock has been here")

var (
	accountBucket = []byte("accounts") // amounts, by number
	fenceBucket   = []byte("fence")    // the highest token, and counts
)

// bank is the database. It knows nothing of locks but their tokens.
type bank struct {
	db    *bbolt.DB
	fence bool
}

func openBank(path string, fence bool) (*bank, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		all, err := tx.CreateBucketIfNotExists(accountBucket)
		if err != nil {
			return err
		}
		for i := range accounts {
			if err := put(all, fmt.Sprint(i), beginning); err != nil {
				return err
			}
		}
		_, err = tx.CreateBucketIfNotExists(fenceBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &bank{db, fence}, nil
}

func (b *bank) close() { b.db.Close() }

// look returns what is in two accounts. From then on no earlier holder of the lock can change it.
func (b *bank) look(token int64, from, to int) (x, y int, err error) {
	err = b.admit(token, func(tx *bbolt.Tx) error {
		all := tx.Bucket(accountBucket)
		x, y = get(all, fmt.Sprint(from)), get(all, fmt.Sprint(to))
		return nil
	})
	return x, y, err
}

// write replaces amounts.
func (b *bank) write(token int64, amounts map[int]int) error {
	return b.admit(token, func(tx *bbolt.Tx) error {
		for i, amount := range amounts {
			if err := put(tx.Bucket(accountBucket), fmt.Sprint(i), amount); err != nil {
				return err
			}
		}
		fence := tx.Bucket(fenceBucket)
		return put(fence, "moves", get(fence, "moves")+1)
	})
}

// admit calls do, unless the token is older than one that was seen. The look at the fence and what
// do does are one transaction, so no newer holder can come between them.
func (b *bank) admit(token int64, do func(*bbolt.Tx) error) error {
	stale := false
	err := b.db.Update(func(tx *bbolt.Tx) error {
		fence := tx.Bucket(fenceBucket)
		newest := get(fence, "newest")
		if stale = b.fence && int(token) < newest; stale {
			return put(fence, "refused", get(fence, "refused")+1)
		}
		if err := put(fence, "newest", max(newest, int(token))); err != nil {
			return err
		}
		return do(tx)
	})
	if err == nil && stale {
		return errStale
	}
	return err
}

// sum returns how much money there is.
func (b *bank) sum() (total, moves, refused int, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		for i := range accounts {
			total += get(tx.Bucket(accountBucket), fmt.Sprint(i))
		}
		moves, refused = get(tx.Bucket(fenceBucket), "moves"), get(tx.Bucket(fenceBucket), "refused")
		return nil
	})
	return total, moves, refused, err
}

func put(in *bbolt.Bucket, key string, n int) error {
	return in.Put([]byte(key), binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func get(in *bbolt.Bucket, key string) int {
	if v := in.Get([]byte(key)); len(v) == 8 {
		return int(binary.BigEndian.Uint64(v))
	}
	return 0
}
