// Go's net/http in a sandbox: a call, a stream, a refusal. Prints one line each.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func send(method, url, body string) *http.Response {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	return response
}

func main() {
	url := os.Args[1]
	response := send("POST", url+"/things", `{"name":"thing"}`)
	text, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(text))

	pieces := []string{}
	scanner := bufio.NewScanner(send("GET", url+"/stream", "").Body)
	for scanner.Scan() {
		if len(pieces) == 0 {
			io.Copy(io.Discard, send("GET", url+"/release", "").Body)
		}
		pieces = append(pieces, scanner.Text())
	}
	fmt.Println(strings.Join(pieces, " "))

	response = send("GET", url+"/forbidden", "")
	var refusal struct{ Error struct{ Code string } }
	json.NewDecoder(response.Body).Decode(&refusal)
	fmt.Println(response.StatusCode, refusal.Error.Code)

	_, err := http.Get(os.Args[2])
	fmt.Println(err)
}
