package cases

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

type message struct {
	Key       string
	Value     any
	Partition int32
	Offset    int64
	Metadata  map[string]string
}

func messages(client Client, count int) ([]message, error) {
	replies, err := client.MGet("COUNT", fmt.Sprint(count), "WAIT", "1000")
	if err != nil {
		return nil, err
	}
	found := make([]message, len(replies))
	for i, reply := range replies {
		text, is := reply.(string)
		if !is {
			text = string(reply.([]byte))
		}
		check(json.Unmarshal([]byte(text), &found[i]))
	}
	return found, nil
}

// take gives the next messages with this key, so many.
func take(client Client, key string, count int, marks bool) []message {
	var found []message
	for limit := time.Now().Add(time.Minute); len(found) < count; {
		if time.Now().After(limit) {
			panic(fmt.Sprintf("%d of %d came", len(found), count))
		}
		next, err := messages(client, 1000)
		check(err)
		for _, m := range next {
			if m.Key == key {
				found = append(found, m)
			}
			if marks {
				check(mark(client, m))
			}
		}
	}
	equal(len(found), count)
	return found
}

func mark(client Client, m message) error {
	reply, err := client.Set(fmt.Sprint(m.Partition), m.Offset)
	if err == nil && fmt.Sprint(reply) != "OK" {
		err = fmt.Errorf("mark: %v", reply)
	}
	return err
}

func written(reply any, err error) {
	check(err)
	equal(fmt.Sprint(reply), "OK")
}

func equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("got %.100s, want %.100s", fmt.Sprint(got), fmt.Sprint(want)))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func times(count int) string {
	switch count {
	case 1:
		return "once"
	case 2:
		return "twice"
	case 9:
		return "9 times or more"
	}
	return fmt.Sprintf("%d times", count)
}

func ask(question string) string {
	fmt.Printf("? %s\n", question)
	answer, err := stdin.ReadString('\n')
	check(err)
	return strings.TrimSpace(answer)
}
