"""Reads questions.txt, more_questions.txt and out_of_scope.txt and makes conversations of them; Python standard library only.

  dataset.py [--seed 7] [COUNT]      prints COUNT conversations, to look at
"""
import argparse
import pathlib
import random
import re

HERE = pathlib.Path(__file__).parent
FILES = ("questions.txt", "more_questions.txt", "out_of_scope.txt")
STOP_WORDS = {"the", "a", "an", "do", "i", "to", "is", "my", "does", "of", "can", "in", "it"}
OPENINGS = ["hi, ", "hello, ", "please ", "hey, ", "ok, ", "so ", "quick question: ", "excuse me, ", "and ", "sorry, ", "can you tell me ",
            "do you know ", "i wonder ", "please tell me ", "i have a question: ", "could you tell me ", "well, ", "just "]
OPENING_AT = re.compile(r"(what|which|who|how|why|where|when|does|do|can|is|are|tell|explain|define|describe|show) ")
CODE_QUESTIONS = [
    "{is} {code}", "what does (the error|error|the code|the error code|) {code} mean", "{code}", "error[{code}]", "error {code}",
    "{fix} (the error|error|) {code}", "i (get|got|see|have) (the error|error|an error|a|) {code}", "what is (the error|error) {code}",
    "(it|the command|ingest|liftlock|verify|fetch|the program) (says|fails with|ends with|prints|stops with) {code}", "refused: {code}",
    "(why|when) do i (get|see) {code}", "(why was it|it was|the bundle was|my file was|i was) refused with {code}", "{code} what (now|to do|should i do)"]
# How often a topic is asked for, against 1; an error code is asked for at 0.45.
WEIGHTS = {"out-of-scope": 48.0, "liftlock": 4.0, "who-are-you": 2.0, "what-can-you-do": 1.5, "steps": 2.0, "bundle": 2.0, "verify": 2.0, "ingest": 2.0,
           "pack": 1.5, "sign": 1.5, "fetch": 1.5, "serve": 2.0, "expect": 1.5, "engine-run": 1.5, "engine-sandbox": 2.5, "revoke": 1.5, "audit-verify": 1.5, "run": 2.0, "npm": 1.5, "gateway": 1.5}
# Words that mean the same in questions about Liftlock; one may stand for another.
SYNONYMS = [group.split("|") for group in (
    "change|alter|modify|edit|manipulate", "changed|altered|modified|manipulated|tampered with|edited|rewritten", "delete|remove|erase|get rid of|throw away",
    "start|launch|run|begin", "show|display|print|list", "see|look at|view", "check|verify|test|validate|examine", "checked|verified|tested|validated",
    "make|create|generate|produce|build", "made|created|produced", "get|obtain|receive", "stolen|lost|leaked|compromised", "carry|bring|transport|transfer|move|take|ship",
    "need|require|want", "needed|required|necessary", "find|locate|discover", "fix|solve|repair|resolve", "refused|rejected|denied|not accepted", "allowed|permitted|ok|possible",
    "model|llm|language model|ai model", "models|llms|language models|weights", "stick|usb stick|medium|drive|usb key", "people|persons|users", "machine|computer|host|node|server",
    "machines|computers|hosts|nodes", "network|net|internet", "error|error code|message|problem", "damaged|corrupt|broken|rotten|bad", "store|keep|save", "stored|kept|saved",
    "docs|documentation|manual|guide", "tool|program|software|product", "somebody|someone|anybody|a person", "install|set up|deploy", "explain|describe|tell me about",
    "safe|secure|protected", "isolated|sandboxed|cut off|confined", "work|function", "important|relevant", "password|passphrase", "supported|available|possible", "large|big|huge",
    "happens|is done|goes on", "log|audit log|record", "folder|directory", "digest|hash|checksum", "container images|docker images|images|containers", "purpose|goal|point|use",
    "download|get", "i|we", "my|our", "also|too|as well", "difference|distinction", "replace|exchange|swap", "old|older|outdated|previous", "new|newer|recent|fresh",
    "isolated side|isolated machine|offline side|other side|closed network|high side", "which|what", "person|human|colleague", "licence|license", "limits|limitations|restrictions")]
SYNONYM_OF = {word: [other for other in group if other != word] for group in SYNONYMS for word in group
              if " " not in word and word not in ("verify", "show", "list", "run", "log", "store", "model", "install", "record", "check", "node")}
# Other shapes of a question that begins with {how} or {is}; REST is what follows the macro.
HOW_SHAPES = ["i want to REST, how?", "i want to REST, how do i do that?", "is there a way to REST?", "what is needed to REST?", "i am trying to REST", "what must i do to REST?",
              "what would i do to REST?", "how might one REST?", "what's the command to REST?", "please help me REST", "do you know how to REST?", "how exactly do i REST?", "REST, how?",
              "REST, how does it work?", "i have to REST. what do i do?", "how is it possible to REST?", "with which command do i REST?", "what should i do to REST?", "can you show me how to REST?",
              "how am i supposed to REST?", "how does somebody REST?", "my boss wants me to REST", "we need to REST, what is the command?", "how on earth do i REST?", "can you tell me how i REST?"]
FIX_SHAPES = ["it says REST, what can i do?", "i see REST here", "i got REST. what now?", "REST, what can i do about it?", "my ingest ended with REST", "the command ended with REST, explain please",
              "please explain REST", "what's behind REST?", "what's REST supposed to mean?", "what is meant by REST?", "it printed REST", "why does it say REST?", "i keep getting REST", "REST appeared, help",
              "liftlock answered REST", "there was REST"]
IS_SHAPES = ["what's REST supposed to mean?", "what is meant by REST?", "please explain REST", "REST, what is that?", "what is REST supposed to be?", "what does REST mean?", "what is REST all about?",
             "could you explain REST?", "i do not know what REST is", "what's the meaning of REST?", "i have never heard of REST", "REST?", "can you tell me what REST is?", "what do you mean by REST?",
             "what's behind REST?", "and what is REST?", "what would REST be?", "tell me more about REST", "what is REST good for?", "give me a definition of REST", "why is there REST?", "i read about REST, what is it?",
             "what is this REST?", "explain to me what REST is", "what's REST?"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Pattern:
    """A question with choices, (a|b), and macros, {name}."""

    def __init__(self, text, macros):
        self.text, self.macros = text, macros
        count = 1
        for choice in re.findall(r"\(([^()]*)\)", text):
            count *= choice.count("|") + 1
        for name in re.findall(r"\{(\w+)\}", text):
            count *= len(macros.get(name, "?"))
        self.weight = min(count, 60) ** 0.5

    def sample(self, rng):
        text = self.choose(self.text, rng)
        if text.startswith("{how} ") and text.split()[1] in ("is", "are", "does", "do", "will", "has", "can"):
            text = text.replace("{how}", "how", 1)
        for macro, shapes in (("{how} ", HOW_SHAPES), ("{is} ", IS_SHAPES), ("{fix} ", FIX_SHAPES)):
            if text.startswith(macro) and rng.random() < 0.4:
                text = rng.choice(shapes).replace("REST", text[len(macro):])
        while match := re.search(r"\{(\w+)\}", text):
            word = made_up_word(rng) if match[1] == "word" else rng.choice(self.macros[match[1]])
            text = text[:match.start()] + word + text[match.end():]
        return " ".join(text.split())

    @staticmethod
    def choose(text, rng):
        while match := re.search(r"\(([^()]*)\)", text):
            text = text[:match.start()] + rng.choice(match[1].split("|")) + text[match.end():]
        return text


def made_up_word(rng):
    syllables = rng.choice([1, 2, 2, 2, 3, 3])
    onsets, vowels, ends = "b c d f g h k l m n p r s t v w z br cr dr fl gr pl sch sh st th tr".split(), "a e i o u ai ee ou".split(), "|||n|r|s|l|t|m|ck|nd|x".split("|")
    return "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(ends) for _ in range(syllables))


class Topic:
    def __init__(self, name, weight=1.0):
        self.name, self.weight, self.answer = name, weight, ""
        self.patterns, self.follow_ups = [], []


def read_topics():
    macros, topics = {}, {}
    macro_lines, rest = [], []
    for file in FILES:
        for line in (HERE / file).read_text().splitlines():
            (macro_lines if line.startswith("% ") else rest).append(line)
    for line in macro_lines:
        name, words = line[2:].split(" ", 1)
        macros[name] = words.split("|")
    topic = None
    follow_ups = []
    for line in rest:
        kind, text = line[:1], line[2:].strip()
        if kind == "[":
            topic = topics.setdefault(line[1:-1], Topic(line[1:-1], WEIGHTS.get(line[1:-1], 1.0)))
        elif kind == "?":
            topic.patterns.append(Pattern(text, macros))
        elif kind == "=":
            topic.answer = text
        elif kind == "+":
            before, pattern = text.split(" ", 1)
            follow_ups.append((before, Pattern(pattern, macros), topic))
        elif kind == "!":
            code, answer = text.split(" = ", 1)
            spoken = {**macros, "code": [code] * 4 + [code.replace("-", " ")]}
            topics["!" + code] = about = Topic("!" + code, 0.45)
            about.patterns = [Pattern(question, spoken) for question in CODE_QUESTIONS]
            about.answer = answer
        elif kind not in ("", "#"):
            raise SystemExit(f"a line that is none: {line}")
    for before, pattern, after in follow_ups:
        topics[before].follow_ups.append((pattern, after))
    for each in topics.values():
        if not each.answer or not each.patterns:
            raise SystemExit(f"the topic {each.name} has no answer or no question")
    return topics


def misspell(word, rng):
    at = rng.randrange(1, len(word) - 1)
    return rng.choice([
        word[:at] + word[at + 1:],
        word[:at] + word[at] + word[at:],
        word[:at] + rng.choice(LETTERS) + word[at + 1:],
        word[:at] + word[at + 1] + word[at] + word[at + 2:]])


def disturb(question, rng, foreign):
    """What people do to a question: openings, endings, case, missing words, typing errors."""
    words = question.split()
    if not foreign:
        for at, word in enumerate(words):
            if word in SYNONYM_OF and rng.random() < 0.12:
                words[at] = rng.choice(SYNONYM_OF[word])
        words = " ".join(words).split()
    if len(words) > 4 and rng.random() < 0.06:  # only the words that carry the meaning, perhaps in another order
        words = [word for word in words if word not in STOP_WORDS] or words
        if rng.random() < 0.4:
            rng.shuffle(words)
    if len(words) > 3 and rng.random() < 0.12:
        stops = [at for at, word in enumerate(words) if word in STOP_WORDS]
        if stops:
            del words[rng.choice(stops)]
    if rng.random() < 0.10:
        long = [at for at, word in enumerate(words) if len(word) > 3 and word.isalpha()]
        if long:
            at = rng.choice(long)
            words[at] = misspell(words[at], rng)
    question = " ".join(words)
    if rng.random() < 0.12 and OPENING_AT.match(question):
        question = rng.choice(OPENINGS) + question
    if not foreign and len(words) > 2 and rng.random() < 0.08 and "liftlock" not in question:
        question = rng.choice([question + " in liftlock", question + " with liftlock", "in liftlock, " + question, question + " using liftlock"])
    if not question.endswith("?"):
        question += rng.choices(["?", "", " please?", " please", ".", "!", " ?", "??", ", please", " thanks"], [60, 30, 2, 1, 3, 1, 1, 1, 1, 1])[0]
    if rng.random() < 0.5:
        question = question[:1].upper() + question[1:]
    if rng.random() < 0.5:
        question = question.replace("liftlock", "Liftlock").replace(" i ", " I ")
    if foreign and rng.random() < 0.4:
        question = " ".join(word.capitalize() if rng.random() < 0.3 else word for word in question.split(" "))
    return question.upper() if rng.random() < 0.01 else question


class Conversations:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.topics = read_topics()
        self.all = list(self.topics.values())
        self.weights = [topic.weight for topic in self.all]

    def turn(self, before):
        rng = self.rng
        if before is not None and before.follow_ups and rng.random() < 0.5:
            pattern, topic = rng.choice(before.follow_ups)
        else:
            topic = rng.choices(self.all, self.weights)[0]
            pattern = rng.choices(topic.patterns, [each.weight for each in topic.patterns])[0]
        return disturb(pattern.sample(rng), rng, topic.name == "out-of-scope"), topic

    def sample(self):
        """[(question, answer), …]: mostly one, up to three, which is what the chat template keeps."""
        turns = self.rng.choices([1, 2, 3], [60, 25, 15])[0]
        out, topic = [], None
        for _ in range(turns):
            question, topic = self.turn(topic)
            out.append((question, topic.answer))
        return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("count", type=int, nargs="?", default=5)
    arguments = parser.parse_args()
    conversations = Conversations(arguments.seed)
    for _ in range(arguments.count):
        for question, answer in conversations.sample():
            print(f"? {question}\n= {answer}")
        print()
