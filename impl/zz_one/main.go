package main
import _ "parley/gen/client/characters"
func main() {}
