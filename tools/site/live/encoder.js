// The model: a whole BERT for question answering, from token ids to two numbers per token.
//
// This is the model of lesson 05, which writes the same functions in PyTorch under the same names: embed, linear,
// layer_norm, by_heads, attention_by_hand, take_in, gelu, layer, encode, whole_model. Here nothing is hidden in a library:
// look-ups, sums, products, and three short functions. Vectors lie one after the other in a Float32Array, so a window of
// 200 tokens with 192 numbers each is an array of 38,400 numbers. One window is computed at a time, without padding.
//
// The file is a single function that uses nothing outside itself. A page computes in a worker, so that it never freezes,
// and hands this function's text to it (ask.js): from a folder on disk, a worker cannot load a file.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.makeEncoder = function makeEncoder({ config, tensors, data }) {
  const hidden = config.hidden_size, heads = config.num_attention_heads, size = hidden / heads;

  // ---- The parameters ------------------------------------------------------------------------------------------------

  /** A number in half precision: 1 bit for the sign, 5 for the exponent, 10 for the fraction. */
  function fromHalf(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24; // too small for a leading 1
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /**
   * Text → the model's parameters, a Float32Array for each name. (export_model.py writes the text.)
   *
   * Two letters of the text are 13 bits: there are 91 letters, and 91 · 91 pairs are enough for 2¹³ = 8,192 numbers.
   * Vectors, such as biases, are stored in half precision, 16 bits for each number. Tables and matrices take fewer: a
   * group of numbers (a row, or a part of one) has a scale in half precision, and each of its numbers is a whole number
   * times that scale. With 8 bits, the whole numbers go from -127 to 127.
   */
  function decodeParameters() {
    let at = 0, waiting = 0, bitsWaiting = 0; // bits that have been read and not yet used
    function letter() { // the letters are # to ~, without the backslash
      const code = data.charCodeAt(at);
      at += 1;
      return code - (code > 92 ? 36 : 35);
    }
    function next(bits) {
      while (bitsWaiting < bits) {
        waiting = (waiting << 13) | (91 * letter() + letter());
        bitsWaiting += 13;
      }
      bitsWaiting -= bits;
      const number = waiting >> bitsWaiting;
      waiting -= number << bitsWaiting;
      return number;
    }
    const named = new Map();
    for (const { name, shape, bits, group } of tensors) {
      const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
      if (bits === 16) {
        for (let k = 0; k < values.length; k += 1) values[k] = fromHalf(next(16));
      } else {
        for (let begin = 0; begin < values.length; begin += group) {
          const scale = fromHalf(next(16));
          for (let k = begin; k < begin + group; k += 1) values[k] = (next(bits) - 2 ** (bits - 1)) * scale;
        }
      }
      named.set(name, values);
    }
    return named;
  }

  const named = decodeParameters();

  function parameter(name) {
    if (!named.has(name)) throw new Error(`the weights have no ${name}`);
    return named.get(name);
  }

  // ---- Products ------------------------------------------------------------------------------------------------------

  /**
   * Every row of `left` (n, length) times every row of `right` (m, length): (n, m). In PyTorch: left @ right.T
   *
   * Nearly all of the model's time is spent here. Three rows are multiplied by three at a time: six numbers are read
   * for nine products, instead of two for each one, which is three times as fast. (At the end, where there are no three
   * rows left, the last one is taken again, and the same result is written twice.)
   */
  function product(left, right, n, m, length) {
    const result = new Float32Array(n * m);
    for (let j = 0; j < m; j += 3) {
      const j1 = Math.min(j + 1, m - 1), j2 = Math.min(j + 2, m - 1);
      const b0 = j * length, b1 = j1 * length, b2 = j2 * length;
      for (let i = 0; i < n; i += 3) {
        const i1 = Math.min(i + 1, n - 1), i2 = Math.min(i + 2, n - 1);
        const a0 = i * length, a1 = i1 * length, a2 = i2 * length;
        let s00 = 0, s01 = 0, s02 = 0, s10 = 0, s11 = 0, s12 = 0, s20 = 0, s21 = 0, s22 = 0;
        for (let k = 0; k < length; k += 1) {
          const x0 = left[a0 + k], x1 = left[a1 + k], x2 = left[a2 + k];
          const y0 = right[b0 + k], y1 = right[b1 + k], y2 = right[b2 + k];
          s00 += x0 * y0; s01 += x0 * y1; s02 += x0 * y2;
          s10 += x1 * y0; s11 += x1 * y1; s12 += x1 * y2;
          s20 += x2 * y0; s21 += x2 * y1; s22 += x2 * y2;
        }
        result[i * m + j] = s00; result[i * m + j1] = s01; result[i * m + j2] = s02;
        result[i1 * m + j] = s10; result[i1 * m + j1] = s11; result[i1 * m + j2] = s12;
        result[i2 * m + j] = s20; result[i2 * m + j1] = s21; result[i2 * m + j2] = s22;
      }
    }
    return result;
  }

  /** A linear layer: each number that comes out is a weighted sum of a vector's entries, plus a constant (the bias). */
  function linear(vectors, name) {
    const weight = parameter(`${name}.weight`), bias = parameter(`${name}.bias`);
    const width = weight.length / bias.length;
    const result = product(vectors, weight, vectors.length / width, bias.length, width);
    for (let k = 0; k < result.length; k += 1) result[k] += bias[k % bias.length];
    return result;
  }

  const sum = (left, right) => left.map((value, k) => value + right[k]);

  // ---- Embeddings (lesson 05, section 3) -----------------------------------------------------------------------------

  /** Brings all vectors to a common scale: mean 0, standard deviation 1, then a learnt factor and constant per entry. */
  function layerNorm(vectors, name) {
    const weight = parameter(`${name}.weight`), bias = parameter(`${name}.bias`);
    const result = new Float32Array(vectors.length);
    for (let row = 0; row < vectors.length; row += hidden) {
      let mean = 0, variance = 0;
      for (let k = 0; k < hidden; k += 1) mean += vectors[row + k] / hidden;
      for (let k = 0; k < hidden; k += 1) variance += (vectors[row + k] - mean) ** 2 / hidden;
      const deviation = Math.sqrt(variance + config.layer_norm_eps);
      for (let k = 0; k < hidden; k += 1) result[row + k] = ((vectors[row + k] - mean) / deviation) * weight[k] + bias[k];
    }
    return result;
  }

  /** Three vectors per token, added up: which token it is, at which position, in the question (0) or the context (1). */
  function embed(ids, segments) {
    const tokenTable = parameter("bert.embeddings.word_embeddings.weight");
    const positionTable = parameter("bert.embeddings.position_embeddings.weight");
    const segmentTable = parameter("bert.embeddings.token_type_embeddings.weight");
    const summed = new Float32Array(ids.length * hidden);
    for (let token = 0; token < ids.length; token += 1) {
      for (let k = 0; k < hidden; k += 1) {
        summed[token * hidden + k] =
          tokenTable[ids[token] * hidden + k] + positionTable[token * hidden + k] + segmentTable[segments[token] * hidden + k];
      }
    }
    return layerNorm(summed, "bert.embeddings.LayerNorm");
  }

  // ---- Attention (section 4) -----------------------------------------------------------------------------------------

  /** Each head works on its own piece of every vector: a list of (sequence, size). */
  function byHeads(vectors) {
    const sequence = vectors.length / hidden;
    return Array.from({ length: heads }, (_, head) => {
      const piece = new Float32Array(sequence * size);
      for (let token = 0; token < sequence; token += 1) {
        const begin = token * hidden + head * size;
        piece.set(vectors.subarray(begin, begin + size), token * size);
      }
      return piece;
    });
  }

  /** Turns each row of scores into weights above 0 that add up to 1, in place. */
  function softmax(scores, length) {
    for (let row = 0; row < scores.length; row += length) {
      let highest = -Infinity, total = 0;
      for (let k = row; k < row + length; k += 1) highest = Math.max(highest, scores[k]);
      for (let k = row; k < row + length; k += 1) total += scores[k] = Math.exp(scores[k] - highest);
      for (let k = row; k < row + length; k += 1) scores[k] /= total;
    }
    return scores;
  }

  /** The weights of layer k: for each head, row i holds the weight that token i gives to every token. */
  function attentionByHand(vectors, k) {
    const name = `bert.encoder.layer.${k}.attention.self`, sequence = vectors.length / hidden;
    const query = byHeads(linear(vectors, `${name}.query`));
    const key = byHeads(linear(vectors, `${name}.key`));
    return query.map((ofHead, head) => {
      const scores = product(ofHead, key[head], sequence, sequence, size);
      return softmax(scores.map((score) => score / Math.sqrt(size)), sequence);
    });
  }

  /** (rows, columns) → (columns, rows) */
  function transposed(values, rows, columns) {
    const result = new Float32Array(values.length);
    for (let i = 0; i < rows; i += 1) for (let j = 0; j < columns; j += 1) result[j * rows + i] = values[i * columns + j];
    return result;
  }

  /** What each token takes in from all tokens: weights @ value, the heads side by side, the output projection. */
  function takeIn(vectors, k) {
    const name = `bert.encoder.layer.${k}.attention`, sequence = vectors.length / hidden;
    const value = byHeads(linear(vectors, `${name}.self.value`));
    const joined = new Float32Array(vectors.length);
    attentionByHand(vectors, k).forEach((weights, head) => {
      const mixed = product(weights, transposed(value[head], sequence, size), sequence, size, sequence);
      for (let token = 0; token < sequence; token += 1) {
        joined.set(mixed.subarray(token * size, (token + 1) * size), token * hidden + head * size);
      }
    });
    return linear(joined, `${name}.output.dense`);
  }

  // ---- The rest of the layer -----------------------------------------------------------------------------------------

  // GELU multiplies a number by the probability that a standard normal variable is smaller than it. This probability is
  // an area under the bell curve, so it is added up once, in small steps (with Simpson's rule), and kept in a table.
  const STEPS = 1024, GREATEST = 6; // steps per unit; beyond 6 the probability is 1 but for a billionth
  const bell = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const probabilities = new Float64Array(STEPS * GREATEST + 1);
  probabilities[0] = 0.5;
  for (let step = 1; step < probabilities.length; step += 1) {
    const from = (step - 1) / STEPS, to = step / STEPS;
    probabilities[step] = probabilities[step - 1] + (bell(from) + 4 * bell((from + to) / 2) + bell(to)) / (6 * STEPS);
  }

  /** In place. Between two entries of the table, a straight line is exact to 3 parts in 10⁸. */
  function gelu(numbers) {
    for (let k = 0; k < numbers.length; k += 1) {
      const x = numbers[k], place = Math.abs(x) * STEPS, step = Math.floor(place);
      let probability = 1;
      if (step < STEPS * GREATEST) {
        probability = probabilities[step] + (place - step) * (probabilities[step + 1] - probabilities[step]);
      }
      numbers[k] = x * (x < 0 ? 1 - probability : probability);
    }
    return numbers;
  }

  /** Attention, add, normalise; feed-forward, add, normalise. */
  function layer(vectors, k) {
    const name = `bert.encoder.layer.${k}`;
    vectors = layerNorm(sum(vectors, takeIn(vectors, k)), `${name}.attention.output.LayerNorm`);
    const wide = gelu(linear(vectors, `${name}.intermediate.dense`));
    const narrow = linear(wide, `${name}.output.dense`);
    return layerNorm(sum(vectors, narrow), `${name}.output.LayerNorm`);
  }

  // ---- The whole model (section 9) -----------------------------------------------------------------------------------

  /** All hidden states: after the embeddings and after every layer. */
  function encode(ids, segments) {
    const states = [embed(ids, segments)];
    for (let k = 0; k < config.num_hidden_layers; k += 1) states.push(layer(states[k], k));
    return states;
  }

  /** A window's ids and segments → its hidden states, and a start and an end logit for each token. */
  function wholeModel(ids, segments) {
    if (ids.length > config.max_position_embeddings) {
      throw new Error(`a window has ${ids.length} tokens, the model takes ${config.max_position_embeddings}`);
    }
    const states = encode(ids, segments);
    const logits = linear(states[states.length - 1], "qa_outputs"); // (sequence, 2)
    return {
      states,
      start: logits.filter((_, k) => k % 2 === 0),
      end: logits.filter((_, k) => k % 2 === 1),
    };
  }

  return { wholeModel, encode, attentionByHand, embed, layer, gelu, parameter };
};
