import java.nio.charset.StandardCharsets;

/** A message as databus writes it in JSON; the values are as they stand there. */
record Message(String key, String value, String partition, String offset, String metadata) {
    /** Of JSON as databus writes it: the fields have their order. */
    static Message of(byte[] json) {
        String text = new String(json, StandardCharsets.UTF_8);
        int topic = text.lastIndexOf(",\"topic\":");
        int value = text.indexOf("\",\"value\":");
        String rest = text.substring(topic);
        return new Message(text.substring(8, value), text.substring(value + 10, topic), field(rest, "partition"), field(rest, "offset"),
            rest.substring(rest.indexOf("\"metadata\":") + 11, rest.length() - 1));
    }

    private static String field(String text, String name) {
        int begin = text.indexOf("\"" + name + "\":") + name.length() + 3;
        return text.substring(begin, text.indexOf(',', begin));
    }
}
