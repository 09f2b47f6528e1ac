// Reads what one run of the suite left behind and says it in lines that scripts/test.sh can add up.
//
//   node judge.mjs REVISION RESULTS EXIT_CODE [EXPECTED_FAILURES]
//
// RESULTS has one folder for each scenario, with checks.json. The suite's own exit code is the verdict on the scenarios that the
// revision requires; here they are counted, and a run that ended badly, or left one out, counts as failed whatever they say.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const [revision, results, exitCode, expectedFile] = process.argv.slice(2);
// A further run of the same requirements has a word of its own in the lines.
const title = [revision, process.env.CONFORMANCE_HOW].filter(Boolean).join(' ');
const suite = join(dirname(fileURLToPath(import.meta.url)), 'node_modules/@modelcontextprotocol/conformance');
const yaml = (file) => parse(readFileSync(file, 'utf8'));
const set = yaml(join(suite, 'requirements', `${revision}.yaml`));
// Entries are SCENARIO:CHECK, so that the other checks of the scenario are held.
const expected = new Set(expectedFile ? yaml(expectedFile).server : []);

// Scenarios that the suite does not score (they are optional, pending or newer than the revision), and that pass.
const KEPT = {
  '2026-07-28': [
    'json-schema-2020-12',
    'http-header-validation',
    // The extension io.modelcontextprotocol/tasks. Its tasks-status-notifications has no check that the suite runs yet.
    'tasks-lifecycle',
    'tasks-capability-negotiation',
    'tasks-wire-fields',
    'tasks-request-state-removal',
    'tasks-mrtr-input',
    'tasks-request-headers',
    'tasks-dispatch-and-envelope',
    'tasks-required-task-error',
    'tasks-mrtr-composition',
  ],
  '2025-11-25': ['json-schema-2020-12'],
};

// What the fixtures answer in the end. The suite is content with any answer there, even one that says it is an error.
const ANSWERS = {
  'tools-call-with-progress': 'Tool with progress executed successfully.',
  'input-required-result-basic-elicitation': 'Hello, Alice!',
  'input-required-result-basic-sampling': 'The model says: The capital of France is Paris.',
  'input-required-result-basic-list-roots': 'file:///test/root',
  'input-required-result-request-state': 'state-ok',
  'input-required-result-multiple-input-requests': 'Hello there! Alice has 1 root(s).',
  'input-required-result-multi-round': 'Alice likes blue.',
  'input-required-result-ignore-extra-params': 'Hello, Alice!',
  'input-required-result-non-tool-request': 'Work in this context: test context',
};

/** The checks of a scenario, or undefined when it did not run. */
function checksOf(scenario) {
  // Folders are named server-SCENARIO-TIMESTAMP; one scenario's name may be the beginning of another's.
  const named = new RegExp(`^server-${scenario}-\\d{4}-\\d\\d-\\d\\dT`);
  const folder = readdirSync(results).find((name) => named.test(name));
  const file = folder && join(results, folder, 'checks.json');
  return file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** Counts a list of scenarios; tells of each that is not as it should be. */
function judge(part, scenarios) {
  const count = { passed: 0, failed: 0, excused: 0, checks: 0 };
  for (const scenario of scenarios) {
    const all = checksOf(scenario) ?? [];
    const having = (...wanted) => all.filter(({ status }) => wanted.includes(status));
    const excusable = ({ id }) => expected.has(`${scenario}:${id}`);
    const bad = having('FAILURE', 'WARNING');
    const tell = ({ id, status, errorMessage, description }) => `${id} (${status}): ${errorMessage ?? description}`;
    const wrong = bad.filter((check) => !excusable(check)).map(tell);
    // An id may stand there twice; then the worse one counts.
    const passing = having('SUCCESS').filter((check) => excusable(check) && !bad.some(({ id }) => id === check.id));
    wrong.push(...passing.map(({ id }) => `${id} passes, and stands in ${expectedFile}`));
    const answer = ANSWERS[scenario];
    if (all.length === 0) wrong.push('it did not run');
    else if (answer && !JSON.stringify(all.map(({ details }) => details)).includes(answer)) wrong.push(`nowhere stands "${answer}"`);
    for (const what of wrong) console.log(`  FAILED ${scenario}: ${what}`);
    count[wrong.length > 0 ? 'failed' : bad.length > 0 ? 'excused' : 'passed'] += 1;
    count.checks += having('SUCCESS').length;
  }
  const { passed, failed, excused, checks } = count;
  const aside = `of ${scenarios.length}${excused > 0 ? `, ${excused} failed as expected` : ''}; ${checks} checks`;
  console.log(`conformance ${title} ${part}: ${passed} passed, ${failed} failed ${aside}`);
  return count.failed;
}

const failed = judge('required', set.server) + judge('not scored, but kept', KEPT[revision]);
const others = set.not_scored
  .filter(({ leg, scenario }) => leg === 'server' && !KEPT[revision].includes(scenario))
  .filter(({ scenario }) => checksOf(scenario)?.some(({ status }) => status === 'FAILURE'))
  .map(({ scenario, reason }) => `${scenario} (${reason})`);
if (others.length > 0) console.log(`  not scored and not passed: ${others.join(', ')}`);
if (exitCode !== '0' && failed === 0) {
  console.log(`conformance ${title}: the suite ended with ${exitCode}: 0 passed, 1 failed`);
}
process.exit(failed > 0 || exitCode !== '0' ? 1 : 0);
