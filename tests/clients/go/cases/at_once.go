package cases

import (
	"fmt"
	"sync"
	"time"
)

// atOnce: several goroutines on one client, which are several connections of its pool.
func (r runner) atOnce() string {
	key := name + "-at-once"
	client := r.publisher()
	sideBySide(200, func(number int) { written(client.Set(key, number)) })
	check(client.Close())
	client = r.subscriber()
	missing, marks := map[float64]bool{}, []message{}
	for number := range 200 {
		missing[float64(number)] = true
	}
	for limit := time.Now().Add(time.Minute); len(missing)+len(marks) > 0; {
		if time.Now().After(limit) {
			panic(fmt.Sprintf("%d of 200 did not come", len(missing)))
		}
		var found []message
		sideBySide(len(marks)+1, func(number int) {
			if number > 0 {
				check(mark(client, marks[number-1]))
				return
			}
			var err error
			found, err = messages(client, 20)
			check(err)
		})
		marks = found
		for _, m := range found {
			if number, is := m.Value.(float64); is && m.Key == key {
				delete(missing, number)
			}
		}
	}
	check(client.Close())
	return ""
}

// sideBySide does it so many times, eight at a time; a panic in one of them is passed on.
func sideBySide(count int, do func(number int)) {
	var all sync.WaitGroup
	free, failed := make(chan bool, 8), make(chan any, count)
	for number := range count {
		free <- true
		all.Add(1)
		go func() {
			defer all.Done()
			defer func() {
				if why := recover(); why != nil {
					failed <- why
				}
				<-free
			}()
			do(number)
		}()
	}
	all.Wait()
	select {
	case why := <-failed:
		panic(why)
	default:
	}
}
