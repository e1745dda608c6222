package zktest

// queue holds items in the order of their arrival. It uses its memory again: the queues of an
// ensemble are filled and emptied all the time.
type queue[T any] struct {
	items []T
	first int // index of the oldest
}

func (q *queue[T]) len() int { return len(q.items) - q.first }

func (q *queue[T]) push(x T) { q.items = append(q.items, x) }

func (q *queue[T]) oldest() T { return q.items[q.first] }

func (q *queue[T]) newest() T { return q.items[len(q.items)-1] }

func (q *queue[T]) pop() T {
	x := q.oldest()
	if q.first++; 2*q.first >= len(q.items) {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	return x
}
